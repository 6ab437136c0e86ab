"""The learning rates of an optimiser."""

from __future__ import annotations


def test_rates_are_told_by_parameter_and_set_to_zero_for_a_while():
    import torch

    from symmetry.torch.parts.model import TorchOptimizer

    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], 0.25)
    rates = TorchOptimizer(optimizer, {id(a): "model.a", id(b): "model.b"})
    assert rates.kind == "SGD"
    assert rates.rates() == {"model.a": 0.5, "model.b": 0.25}
    rates.zero_rates()
    assert rates.rates() == {"model.a": 0, "model.b": 0}
    rates.restore_rates()
    assert rates.rates() == {"model.a": 0.5, "model.b": 0.25}
    optimizer.param_groups[0].pop("lr")
    assert rates.rates()["model.a"] is None
