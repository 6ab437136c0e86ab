"""``training/units``: a pin is of one module, not of all whose names begin so."""

from __future__ import annotations

import pytest

from symmetry import check
from tests.conftest import slow


def pinned(pins, *, listed=False):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc10, self.last = nn.Linear(3, 5), nn.Linear(5, 9), nn.Linear(9, 2)

        def forward(self, x):
            return self.last(self.fc10(self.fc1(x).tanh()).tanh())

    def training():
        model = Net()
        if listed:
            model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            x = torch.arange(12.0 + i)[i:].reshape(4, 3).sin()
            (model(x) * torch.arange(1, 3)).square().mean().backward()
            optimizer.step()

        return model, step

    training.expect_units = pins
    return training


@pytest.mark.parametrize(
    ("pins", "kind"),
    [
        ({"fc1": 5, "fc10": 9}, "holds"),
        slow({"fc10 units": 9}, "holds"),
        ({"fc1": 9}, "violated"),
        slow({"fc10": 5}, "violated"),
        slow({"nothing": 5}, "violated"),
    ],
)
def test_a_pin_is_of_one_module(pins, kind):
    (verdict,) = check(pinned(pins), only=["training/units"])
    assert verdict.kind == kind


@pytest.mark.parametrize("pin", [slow("0"), slow("layer 0"), "layer 0 units"])
def test_a_layer_of_a_sequence_is_pinned_by_its_number(pin):
    (verdict,) = check(pinned({pin: 5}, listed=True), only=["training/units"])
    assert verdict.kind == "holds"
