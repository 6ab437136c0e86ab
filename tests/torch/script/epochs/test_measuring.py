"""The numbers of a run: outputs, losses and parameters, also from parameters close by."""

from __future__ import annotations

from symmetry.training.events import Measured
from tests.torch.script.epochs.helpers import run


def test_the_values(folder):
    text = (
        "nn.functional.mse_loss(torch.tensor([3.0, 0.0]), torch.zeros(2), reduction='sum')\n"
        "nn.functional.l1_loss(torch.tensor([3.0, -4.0]), torch.zeros(2), reduction='none')\n"
        "train()\n"
    )
    first, second, *_ = run(folder, text).of(Measured)
    assert (first.name, first.values) == ("mse_loss (sum)", (9.0,))
    assert (second.name, second.values) == ("l1_loss (none)", (7.0, 5.0))
