"""Traces of what PyTorch performs."""

from __future__ import annotations

import numpy as np


def traced(leaves, forward):
    """Return the trace of a forward whose result is the loss."""
    from symmetry.torch.trace import Tracer
    from symmetry.torch.watch.operations import Recorder

    tracer = Tracer(leaves)
    with Recorder(tracer):
        loss = forward(**leaves)
    return tracer.end([(loss, 1.0)], leaves)


def leaf(*shape):
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_a_loss_is_performed_again_on_other_arrays():
    w = leaf(3, 2)
    trace = traced({"w": w}, lambda w: w.exp().sum())
    values = dict(enumerate(trace.arrays))
    values[0] = w.numpy() + 1
    for k, node in enumerate(trace.nodes):
        arrays = {x: values[i] for x, i in enumerate(node.inputs)}
        values |= dict(zip(node.outputs, trace.perform(k, arrays), strict=True))
    np.testing.assert_allclose(values[trace.loss], np.exp(w.numpy() + 1).sum())


def test_what_is_written_into_is_another_value_and_so_is_what_shows_it():
    w = leaf(4)

    def forward(w):
        shown = w[1:]
        w.mul_(2)
        return shown.sum()

    before = w.numpy().copy()
    trace = traced({"w": w}, forward)
    assert trace.finals["w"] != trace.leaves["w"]
    np.testing.assert_array_equal(trace.arrays[trace.leaves["w"]], before)
    np.testing.assert_allclose(trace.arrays[trace.finals["w"]], 2 * before)
    assert trace.loss in trace.downstream({trace.leaves["w"]})


def test_random_numbers_are_data():
    import torch

    w = leaf(4)
    trace = traced({"w": w}, lambda w: (w * torch.rand(4, dtype=torch.float64)).sum())
    drawn = {i for node in trace.nodes for i in node.inputs} - {*trace.maker} - {0}
    assert len(drawn) == 1


def test_a_generator_of_its_own_is_drawn_from_once():
    import torch

    def draws():
        own = torch.Generator().manual_seed(1)
        return torch.stack([torch.rand(4, generator=own) for _ in range(3)]).double()

    plain, seen = draws(), []

    def loss(w):
        seen.append(draws())
        return (w * seen[0]).sum()

    traced({"w": leaf(3, 4)}, loss)
    assert seen[0].equal(plain)


def test_integers_among_the_arguments_are_noted():
    trace = traced({"w": leaf(2, 6)}, lambda w: w.view(2, 2, 3).sum())
    assert {2, 3} <= trace.nodes[0].integers


def test_a_node_knows_its_operation_and_the_line_that_asked_for_it():
    w = leaf(4)

    def forward(w):
        return w.exp().sum()

    trace = traced({"w": w}, forward)
    exp, total, loss = trace.nodes
    assert (exp.operation, total.operation, loss.operation) == ("aten.exp", "aten.sum", "")
    line = forward.__code__.co_firstlineno + 1
    assert str(exp.place) == f"tests/torch/test_trace.py:{line}"
    assert str(loss.place) == ""


def test_an_operation_of_another_library_may_not_check_its_indices():
    import torch

    torch.library.define("symmetry_tests::taken", "(Tensor rows, Tensor numbers) -> Tensor")
    torch.library.impl("symmetry_tests::taken", "cpu", lambda rows, n: rows[n.long()])
    taken = torch.ops.symmetry_tests.taken
    trace = traced({"w": leaf(4)}, lambda w: taken(w, torch.tensor([2.0])).sum())
    assert [node.operation for node in trace.nodes if not node.checked] == ["symmetry_tests.taken"]


def test_an_lstm_with_gradients_is_performed_again_with_its_workspace():
    import torch
    from torch import nn

    lstm = nn.LSTM(3, 4)
    x = torch.randn(5, 2, 3)  # in 32 bits a kernel of its own takes all steps at once
    trace = traced({"x": x, **dict(lstm.named_parameters())}, lambda x, **_: lstm(x)[0].sum())
    for k, node in enumerate(trace.nodes):
        if node.inputs:
            assert trace.perform(k, {0: trace.arrays[node.inputs[0]]}) is not None, node.operation
