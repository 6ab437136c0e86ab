"""When nothing of a state was loaded, since its names have another prefix."""

from __future__ import annotations

import pytest

from symmetry.invariants.loop.loaded import loaded
from symmetry.training.events import Restored, Updated
from tests.invariants.loop.made import at, epochs, event

PAIRS = (("module.0.weight", "0.weight"), ("module.0.bias", "0.bias"))


def restored(line=40, **facts):
    given = {"model": 0, "tensors": 2, "own": 0, "taken": None, "updates": 0, "elsewhere": PAIRS}
    return event(Restored, line, **{**given, **facts})


def test_names_with_another_prefix_are_accused():
    (accusation,) = loaded(epochs(restored(), event(Updated))).accusations
    assert accusation.at == at(40)
    assert accusation.text == (
        "load_state_dict loads 0 of 2 tensors: 2 have the names of the model's but for a prefix, "
        "as module.0.weight for 0.weight, so that their weights are left out. Rename them before."
    )


@pytest.mark.parametrize(
    "events",
    [
        [restored(elsewhere=())],
        [restored(elsewhere=PAIRS[:1])],
        [restored(matched=2, tensors=4)],
        [restored(), restored(50, matched=2, elsewhere=())],
        [event(Updated), restored()],
    ],
)
def test_what_is_loaded_in_part_or_later_or_again_is_not_accused(events):
    assert not loaded(epochs(*events, event(Updated))).accusations


def test_a_script_that_loads_nothing_is_not_judged():
    assert not loaded(epochs(event(Updated))).applies
