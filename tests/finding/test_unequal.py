"""Layers whose units are not equal, the operation that makes them unequal, and its line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.find import find
from symmetry.finding.solver import Solver
from symmetry.finding.unequal import GuiltyConstants, is_reshape, reshapes_to_transpose
from symmetry.training.target import FunctionTraining
from tests.finding.models import Model, classify, normal
from tests.finding.traces import Steps, square_error
from tests.finding.traces import normal as numbers


def one_operation(function):
    """Return a solver of a trace with one operation on a leaf of shape (2, 3, 4)."""
    steps = Steps(w=numbers(2, 3, 4))
    return Solver(steps.end(steps.apply(function, steps.w)))


@pytest.mark.parametrize(
    ("function", "ties"),
    [
        (lambda a: a.reshape(2, 4, 3), True),
        (lambda a: a.reshape(3, 8), True),
        (lambda a: a.reshape(6, 4), False),  # joins two axes
        (lambda a: a.reshape(2, 3, 2, 2), False),  # splits one
        (lambda a: a.swapaxes(1, 2), False),  # changes the order of entries
        (lambda a: np.tanh(a.reshape(2, 4, 3)), False),
    ],
)
def test_a_reshape_puts_entries_in_their_order_into_other_axes(function, ties):
    assert is_reshape(one_operation(function), 0) is ties


def channels(rearrange):
    """Return a trace of 3 channels at 4 positions, which are rearranged and pooled; and a seed."""
    steps = Steps(w=numbers(5, 3), v=numbers(3, 2))
    hidden = steps.apply(np.matmul, steps.data(numbers(6, 4, 5)), steps.w)
    moved = steps.apply(rearrange, steps.apply(np.tanh, hidden))  # (6, 3, 4)
    pooled = steps.apply(lambda h: np.tanh(h).mean(2) + h[:, :, 0], moved)
    y = steps.apply(np.matmul, pooled, steps.v)
    trace = steps.end(steps.apply(square_error, y, steps.data(numbers(6, 2, seed=9))))
    return trace, {steps.w: ((1, ((0, 1),), ()),)}


def test_a_reshape_in_place_of_a_transpose_has_to_be_transposed():
    trace, leaves = channels(lambda h: h.reshape(6, 3, 4))
    assert [k for k in range(len(trace.nodes)) if is_reshape(Solver(trace), k)] == [2]
    assert reshapes_to_transpose(Solver(trace), leaves, 2, iter(range(40))) == (2,)
    assert reshapes_to_transpose(Solver(trace), leaves, 0, iter(range(40))) is None
    assert reshapes_to_transpose(Solver(trace), leaves, 2, iter(())) is None


def test_an_exchange_that_is_complete_needs_no_transpose():
    trace, leaves = channels(lambda h: h.swapaxes(1, 2))
    assert reshapes_to_transpose(Solver(trace), leaves, 2, iter(())) == ()


def scaled(make_scale):
    """Return a trace in which a hidden layer is multiplied by a scale, and its seed."""
    steps = Steps(w=numbers(3, 4), v=numbers(4, 2))
    hidden = steps.apply(np.matmul, steps.data(numbers(7, 3)), steps.w)
    hidden = steps.apply(np.multiply, steps.apply(np.tanh, hidden), make_scale(steps))
    y = steps.apply(np.matmul, hidden, steps.v)
    trace = steps.end(steps.apply(square_error, y, steps.data(numbers(7, 2, seed=9))))
    return trace, {steps.w: ((1, ((0, 1),), ()),)}


def guilty(make_scale):
    """Return the node that takes the guilty constant, and the one where the exchange is stuck."""
    trace, leaves = scaled(make_scale)
    with pytest.raises(Stuck) as stuck:
        Solver(trace).solve(leaves)
    return GuiltyConstants(trace).node(leaves, stuck.value.node), stuck.value.node


@pytest.mark.parametrize(
    "make_scale",
    [
        lambda steps: steps.apply(lambda: np.linspace(1, 2, 4)),
        lambda steps: steps.data(np.linspace(1, 2, 4)),
    ],
)
def test_a_constant_of_the_step_or_from_outside_is_guilty(make_scale):
    node, stuck = guilty(make_scale)
    assert node == stuck


def test_the_batch_is_not_guilty():
    assert guilty(lambda steps: steps.data(numbers(7, 4)))[0] is None


def test_a_trace_without_constants_has_no_guilty_one():
    steps = Steps(w=numbers(3, 4))
    y = steps.apply(np.matmul, steps.data(numbers(7, 3)), steps.w)
    trace = steps.end(steps.apply(square_error, y, steps.data(numbers(7, 4))))
    assert GuiltyConstants(trace).node({steps.w: ((1, ((0, 1),), ()),)}, 1) is None


def test_data_are_all_that_is_computed_from_outside():
    trace, _ = scaled(lambda steps: steps.apply(lambda: np.linspace(1, 2, 4)))
    scale = next(n.outputs[0] for n in trace.nodes if not n.inputs)
    assert scale not in GuiltyConstants(trace).data
    assert trace.loss in GuiltyConstants(trace).data
    assert trace.leaves["w"] not in GuiltyConstants(trace).data


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


def test_networks_that_take_turns_are_not_named():
    def make():
        nets = nn.ModuleList(nn.Linear(5, 3) for _ in range(4))
        optimizers = [torch.optim.SGD(net.parameters(), 0.1) for net in nets]
        losses = [classify(net, normal(8, 5), 3)[1] for net in nets]

        def step(i):  # those of the last two step later
            optimizers[i % 4].zero_grad()
            losses[i % 4](i)
            optimizers[i % 4].step()

        return nets, step

    assert find(FunctionTraining("made", make)).without_gradient == ()


def test_a_part_whose_own_loss_comes_later_is_not_named():
    def make():
        body, head = nn.Linear(5, 3), nn.Linear(5, 3)
        nets = nn.ModuleList([body, head])
        first = torch.optim.SGD(nets.parameters(), 0.1)
        second = torch.optim.SGD(head.parameters(), 0.1)
        turns = (body, first), (body, first), (head, second)
        losses = [classify(net, normal(8, 5), 3)[1] for net, _ in turns]

        def step(i):
            nets.zero_grad()
            losses[i % 3](i)
            turns[i % 3][1].step()

        return nets, step

    assert find(FunctionTraining("made", make)).without_gradient == ()
