"""Where two trainings first differ, of what their steps show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from symmetry.comparison.place import place
from symmetry.training.observation import Observation, ObservedCall, ObservedName

DATA, INNER, OUTER = (
    ObservedName("data", "input 0"),
    ObservedName("forward", "fc1"),
    ObservedName("forward", "fc2"),
)
LOSS, BACK, FIRST = (
    ObservedName("loss", ""),
    ObservedName("backward", "fc2"),
    ObservedName("backward", "fc1"),
)
LEFT, USED = (ObservedName("gradient", f"model.fc1.weight{more}") for more in ("", " used"))
UPDATE = ObservedName("update", "model.fc1.weight")
ORDER = (DATA, INNER, OUTER, LOSS, BACK, FIRST, LEFT, USED, UPDATE)
CALLS = [ObservedCall("fc1", "", (), (INNER,)), ObservedCall("fc2", "", (INNER,), (OUTER,))]


def shown(loss=1.0, rates=None):
    parts = {key: [np.ones(1)] for key in ORDER} | {LOSS: [np.array(loss)]}
    return Observation(parts, CALLS, rates or {})


def first(*bad, mine=None, theirs=None):
    """Return what is told if these are the first to deviate, and all behind them does."""
    begin = ORDER.index(bad[0])
    ratios = {key: 1e9 if key in bad or ORDER.index(key) > begin else 0.5 for key in ORDER}
    reference, other = (
        SimpleNamespace(dtype="float32", kept=[each or shown()]) for each in (mine, theirs)
    )
    return place(reference, other, [ratios])


def test_nothing_is_told_where_nothing_deviates():
    sides = [SimpleNamespace(dtype="float32", kept=[shown()])] * 2
    assert place(*sides, [dict.fromkeys(ORDER, 1.0)]) is None


@pytest.mark.parametrize(
    ("key", "phase", "module", "text"),
    [
        (DATA, "data", None, "the data of step 1: they do not see the same data (input 0)"),
        (OUTER, "forward", "fc2", "of the same input it makes another output"),
        (LOSS, "loss", None, "the outputs of all 2 modules agree, the gradient of fc2 does not"),
        (BACK, "loss", None, "the gradient of fc2 does not"),
        (FIRST, "backward", "fc2", "in fc2: of the same gradient it makes another one"),
        (LEFT, "gradient", "fc1", "the gradient of model.fc1.weight in step 1"),
        (USED, "gradient", None, "the update uses another: clipped or scaled?"),
        (UPDATE, "update", "fc1", "all before it agrees, model.fc1.weight not"),
    ],
)
def test_the_first_thing_that_deviates_is_told(key, phase, module, text):
    found = first(key)
    assert (found.phase, found.module, found.step) == (phase, module, 1)
    assert text in found.text


def test_both_losses_are_told():
    assert "(1, 1.5)" in first(LOSS, theirs=shown(1.5)).text


def test_rates_that_are_not_the_same_are_told():
    mine, theirs = (shown(rates={"SGD": {"lr": lr, "foreach": lr > 0.1}}) for lr in (0.1, 0.2))
    assert first(UPDATE, mine=mine, theirs=theirs).text.endswith("(lr of SGD is 0.2, not 0.1)")
    other = shown(rates={"Adam": {"lr": 0.1}})
    assert first(UPDATE, mine=mine, theirs=other).text.endswith("(SGD became Adam)")


def test_a_loss_that_is_only_shown_is_not_where_they_differ():
    ratios = dict.fromkeys(ORDER, 0.5) | {LOSS: 1e9, UPDATE: 1e9}
    sides = [SimpleNamespace(dtype="float32", kept=[shown()])] * 2
    assert place(*sides, [ratios]).phase == "update"
