"""When nothing of a state was loaded, since its names have another prefix."""

from __future__ import annotations

import pytest

from symmetry.invariants.loop.loaded import loaded
from symmetry.training.events import Restored, SameFunction, Updated
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


def test_a_model_that_is_tested_without_its_weights_is_accused():
    assert loaded(epochs(event(Updated), restored())).accusations


@pytest.mark.parametrize(
    "events",
    [
        [restored(elsewhere=())],
        [restored(elsewhere=PAIRS[:1])],
        [restored(matched=2, tensors=4)],
        [restored(), restored(50, matched=2, elsewhere=())],
        [event(Updated), restored(tensors=3)],
    ],
)
def test_what_is_loaded_in_part_or_later_or_again_is_not_accused(events):
    assert not loaded(epochs(*events, event(Updated))).accusations


def test_a_script_that_loads_nothing_is_not_judged():
    assert not loaded(epochs(event(Updated))).applies


def same(**facts):
    given = {"kind": "saved", "model": "Net", "distance": 0.5, "eps": 1e-7}
    return SameFunction(at=at(50), **{**given, "missing": (), "other": "", **facts})


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "its outputs differ by 0.5 of the largest one, and no name is missing. Either Net"),
        ({"kind": "merged"}, "the merged model does not compute what Net did: its outputs differ"),
    ],
)
def test_another_function_without_a_reason_is_accused(facts, says):
    found = loaded(epochs(event(Updated), identities=(same(**facts),)))
    (accusation,) = found.accusations
    assert found.applies
    assert accusation.at == at(50)
    assert says in accusation.text


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"missing": ("a", "b", "c")}, "no file has a, nor 2 more tensors."),
        ({"other": "Net.scale", "distance": float("inf")}, "Net.scale is not the same. Save"),
    ],
)
def test_another_function_for_a_reason_is_a_note(facts, says):
    found = loaded(epochs(event(Updated), identities=(same(**facts),)))
    assert not found.accusations
    (note,) = found.notes
    assert note.name == "loop/files"
    assert says in note.text


@pytest.mark.parametrize("facts", [{"distance": 1e-5}, {"distance": 0.02, "eps": 2.0**-7}])
def test_rounding_is_no_other_function(facts):
    found = loaded(epochs(event(Updated), identities=(same(**facts),)))
    assert found.applies
    assert not found.accusations
    assert not found.notes
