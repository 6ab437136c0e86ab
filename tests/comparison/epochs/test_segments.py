"""Where two runs have to agree, and which of their numbers are compared."""

from __future__ import annotations

import math

import pytest

from symmetry.comparison.epochs.segments import common, gaps, segments, unlike
from symmetry.training.events import Batch, Called, Measured, Updated
from tests.invariants.loop.made import epochs, event


def measured(phase: str, name: str, *values: float) -> Measured:
    return event(Measured, phase=phase, name=name, values=values)


def one(*events):
    """Return the segment behind the first batch."""
    return segments(epochs(event(Batch), *events))[1]


def test_batches_and_updates_begin_segments():
    loss, parameters = measured("loss", "mse_loss", 2.0), measured("update", "SGD", 1.0, 3.0)
    run = epochs(event(Batch), event(Called), loss, event(Updated), parameters)
    first, batch, update = segments(run)
    assert (first.anchor, first.measured) == (None, [])
    assert (batch.index, batch.measured) == (0, [loss])
    assert update.numbers == {("update", 0, 0): 1.0, ("update", 0, 1): 3.0}
    assert update.scale == {("update", 0, 0): 3.0, ("update", 0, 1): 3.0}


@pytest.mark.parametrize(
    ("kind", "mine", "theirs", "fit"),
    [
        (Batch, {"digest": "a"}, {"digest": "a"}, True),
        (Batch, {"digest": "a"}, {"digest": "b"}, False),
        (Batch, {"number": 1}, {"number": 2}, False),
        (Batch, {"shapes": ("8",)}, {"shapes": ("4",)}, False),
        (Updated, {"rates": (0.1,)}, {"rates": (0.1 + 1e-12,)}, True),
        (Updated, {"rates": (0.1,)}, {"rates": (0.05,)}, False),
        (Updated, {"rates": (0.1,)}, {"rates": (0.1, 0.1)}, False),
        (Updated, {"optimizer": 0}, {"optimizer": 1}, False),
    ],
)
def test_which_anchors_fit(kind, mine, theirs, fit):
    a, b = (segments(epochs(event(kind, **facts))) for facts in (mine, theirs))
    assert common(a, b) == 1 + fit


def test_a_batch_is_no_update():
    assert common(segments(epochs(event(Batch))), segments(epochs(event(Updated)))) == 1


def test_models_of_other_classes_are_compared_and_losses_by_function():
    mine = one(measured("forward", "Net", 1.0, 2.0), measured("loss", "mse_loss (sum)", 8.0))
    theirs = one(measured("forward", "Model", 1.5, 2.0), measured("loss", "mse_loss (mean)", 1.0))
    assert gaps(mine, theirs) == {("forward", 0, 0): 0.5, ("forward", 0, 1): 0.0}
    assert unlike(mine, theirs) == ["mse_loss (sum)", "mse_loss (mean)"]


def test_other_numbers_of_calls_are_not_compared():
    call = measured("forward", "Net", 1.0)
    assert gaps(one(call), one(call, call)) == {}


@pytest.mark.parametrize(
    ("mine", "theirs", "gap"),
    [
        (1.0, 3.0, 2.0),
        (1.0, math.nan, math.inf),
        (math.nan, math.nan, 0.0),
        (math.inf, 1, math.inf),
    ],
)
def test_numbers_that_are_not_finite(mine, theirs, gap):
    a, b = one(measured("loss", "x", mine)), one(measured("loss", "x", theirs))
    assert [*gaps(a, b).values()] == [gap]
