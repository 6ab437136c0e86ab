"""Layers whose units are not equal, the operation that makes them unequal, and its line."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.finding.find import find
from symmetry.training.target import FunctionTraining
from tests.finding.models import Model, classify, normal


def found(make):
    """Return what is said of each layer without units, its line by how far it is from the top."""
    coverage = find(FunctionTraining("made", make))
    first = make.__code__.co_firstlineno
    return [
        (u.module, u.units, u.equal, u.cause, u.operation, u.place.line - first)
        for u in coverage.without_units
    ]


def network(forward):
    return classify(Model(forward, l1=nn.Linear(5, 16), l2=nn.Linear(16, 3)), normal(8, 5), 3)


def test_a_constant_multiplies_each_unit_by_a_number_of_its_own():
    def make():
        def forward(m, x):
            h = torch.tanh(m.l1(x))
            h = h * torch.linspace(1, 1.001, 16)
            return m.l2(h)

        return network(forward)

    assert found(make) == [("l1", 16, 0, "constant", "aten.mul", 3)]


def test_a_constant_is_added_before_what_is_not_linear():
    def make():
        shifts = torch.linspace(0, 0.1, 16)
        return network(lambda m, x: m.l2(torch.tanh(m.l1(x) + shifts)))

    assert found(make) == [("l1", 16, 0, "constant", "aten.add", 2)]


def test_one_unit_is_unlike_the_others():
    def make():
        def forward(m, x):
            scale = torch.ones(16)
            scale[-1] = 1.001
            return m.l2(m.l1(x).tanh() * scale)

        return network(forward)

    assert found(make) == [("l1", 16, 15, "constant", "aten.mul", 4)]


def test_the_first_of_two_constants_is_named():
    def make():
        def forward(m, x):
            h = torch.tanh(m.l1(x) * torch.linspace(1, 1.1, 16))
            return m.l2(h + torch.linspace(0, 0.1, 16))

        return network(forward)

    assert found(make) == [("l1", 16, 0, "constant", "aten.mul", 2)]


def attention(split, join):
    def forward(m, x):
        q, k, v = (split(f(x)) for f in (m.q, m.k, m.v))
        return m.o(join(F.scaled_dot_product_attention(q, k, v))).mean(1)

    linear = {name: nn.Linear(7, 30) for name in "qkv"}
    return classify(Model(forward, **linear, o=nn.Linear(30, 3)), normal(4, 6, 7), 3)


def test_heads_that_are_transposed_both_ways_are_equal():
    def make():
        return attention(
            lambda x: x.view(4, 6, 3, 10).transpose(1, 2),
            lambda y: y.transpose(1, 2).reshape(4, 6, 30),
        )

    assert found(make) == []


def test_heads_that_are_not_transposed_back_are_tied_by_the_reshape():
    def make():
        return attention(
            lambda x: x.view(4, 6, 3, 10).transpose(1, 2),
            lambda y: y.reshape(4, 6, 30),
        )

    assert found(make) == [("v", 30, 10, "reshape", "aten._unsafe_view", 3)]


def test_heads_that_are_never_transposed_are_tied_by_the_view():
    def make():
        return attention(
            lambda x: x.view(4, 3, 6, 10),
            lambda y: y.reshape(4, 6, 30),
        )

    assert found(make) == [(name, 30, 10, "reshape", "aten.view", 2) for name in "qkv"]


def test_a_view_in_place_of_a_transpose_ties_channels():
    def make():
        def forward(m, x):
            h = m.conv(x).tanh()
            h = h.view(8, 9, 6)
            return m.out(m.cell(h)[0][:, -1])

        model = Model(
            forward,
            conv=nn.Conv1d(2, 6, 3, padding=1),
            cell=nn.GRU(6, 5, batch_first=True),
            out=nn.Linear(5, 3),
        )
        return classify(model, normal(8, 2, 9), 3)

    assert found(make) == [("conv", 6, 0, "reshape", "aten.view", 3)]


def test_gates_of_unlike_experts_are_taken_one_by_one():
    def make():
        def forward(m, x):
            gate = m.gate(x).softmax(-1)
            return m.out(gate[:, :1] * m.a(x) + gate[:, 1:] * m.b(x).tanh())

        parts = {"gate": nn.Linear(5, 2), "a": nn.Linear(5, 6), "b": nn.Linear(5, 6)}
        return classify(Model(forward, **parts, out=nn.Linear(6, 3)), normal(8, 5), 3)

    assert found(make) == [("gate", 2, 0, "place", "aten.slice", 3)]


def residual(m, x):
    """Add to each feature of the data what a layer makes of it."""
    return m.l2(x + m.l1(x))


def stacked(m, x):
    """Put frames side by side, as models of speech do."""
    return m.l2(m.l1(x).tanh().reshape(8, 3, 10)).mean(1)


@pytest.mark.parametrize("forward", ["residual", "stacked"])
def test_what_has_to_do_with_the_data_is_not_told(forward):
    shapes = {"residual": ((5, 5), (5, 3), (8, 5)), "stacked": ((4, 5), (10, 3), (8, 6, 4))}

    def make():
        (a, b), (c, d), data = shapes[forward]
        model = Model(globals()[forward], l1=nn.Linear(a, b), l2=nn.Linear(c, d))
        return classify(model, normal(*data), 3)

    assert found(make) == []


def test_modules_without_gradient_are_named():
    def make():
        model = Model(lambda m, x: m.l1(x) + 0 * m.l2(x), l1=nn.Linear(5, 3), l2=nn.Linear(5, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        _, backward = classify(model, normal(8, 5), 3)

        def step(i):
            optimizer.zero_grad()
            backward(i)
            optimizer.step()

        return model, step

    assert find(FunctionTraining("made", make)).without_gradient == ("l2",)
