"""The numbers of a run: outputs, losses and parameters, also from parameters close by."""

from __future__ import annotations

import pytest

from symmetry.targets.script import script
from symmetry.training.events import Measured
from tests.torch.script.epochs.helpers import HEAD, run


def test_an_update_measures_the_output_the_loss_and_the_parameters(folder):
    names = [(event.phase, event.name) for event in run(folder, "train()").of(Measured)][:4]
    assert names == [
        ("forward", "Sequential"),
        ("loss", "cross_entropy (mean)"),
        ("loss", "backward"),
        ("update", "SGD"),
    ]


def test_the_values(folder):
    text = (
        "nn.functional.mse_loss(torch.tensor([3.0, 0.0]), torch.zeros(2), reduction='sum')\n"
        "nn.functional.l1_loss(torch.tensor([3.0, -4.0]), torch.zeros(2), reduction='none')\n"
        "train()\n"
    )
    first, second, *_ = run(folder, text).of(Measured)
    assert (first.name, first.values) == ("mse_loss (sum)", (9.0,))
    assert (second.name, second.values) == ("l1_loss (none)", (7.0, 5.0))


def test_a_draw_moves_what_is_measured_a_little(folder):
    text = "import copy\nother = copy.deepcopy(model)\nmodel.eval(), other.eval()\n"
    text += "x = torch.ones(2, 4)\nprint(model(x), other(x))\nmodel.train()\ntrain()\n"
    (folder / "a.py").write_text(HEAD + text)
    target = script("a.py")
    plain, near = (target.training.epochs(0, draw) for draw in (None, 3))
    target.close()
    assert plain.start == near.start
    mine, copies, *_ = plain.of(Measured)
    its, moved, *_ = near.of(Measured)
    assert mine.values == copies.values
    assert its.values != mine.values
    assert moved.values == pytest.approx(mine.values, rel=1e-4)
