"""When a state that is restored or saved is no copy, and what is noted of checkpoints."""

from __future__ import annotations

import pytest

from symmetry.invariants.loop.copies import copies
from symmetry.training.events import Copy, Restored, Saved
from tests.invariants.loop.made import at, epochs, event


def restored(**facts):
    given = {"model": 0, "tensors": 4, "own": 4, "taken": at(3), "updates": 0}
    return event(Restored, 40, **{**given, **facts})


@pytest.mark.parametrize("facts", [{"updates": 2}, {"loads": 1}, {"takes": 2}])
def test_a_state_that_is_the_models_own_is_accused_where_it_was_taken(facts):
    (accusation,) = copies(epochs(restored(**facts))).accusations
    assert accusation.at == at(3)
    assert accusation.text == (
        "load_state_dict (train.py:40) restores nothing: 4 of 4 tensors are the model's own, and "
        "each update or load since state_dict() returned them has changed them as well. Take "
        "copy.deepcopy(model.state_dict())."
    )


@pytest.mark.parametrize(
    "facts", [{}, {"updates": 2, "own": 0}, {"updates": 2, "taken": None}, {"takes": 1}]
)
def test_a_state_that_nothing_has_changed_or_that_is_a_copy_is_sound(facts):
    assert not copies(epochs(restored(**facts))).accusations


def test_copying_each_tensor_into_itself_is_accused():
    event_ = restored(model=None, taken=None, updates=3)
    (accusation,) = copies(epochs(event_)).accusations
    assert accusation.text.startswith("each of the 4 tensors that are copied here is copied into")
    assert not copies(epochs(restored(model=None, taken=None, own=3, updates=3))).accusations


def saved(**facts):
    given = {"keys": ("epoch", "model"), "position": True, "model": True, "optimizer": False}
    return event(Saved, 50, **{**given, **facts})


def test_a_state_that_changed_before_it_was_saved_is_accused():
    (accusation,) = copies(epochs(saved(taken=at(8), updates=1))).accusations
    assert accusation.at == at(8)
    assert "and an update has changed its tensors since" in accusation.text
    assert "the last weights are saved" in accusation.text


def test_a_checkpoint_without_the_optimiser_has_a_note():
    (note,) = copies(epochs(saved())).notes
    assert (note.name, note.line) == ("loop/checkpoint", 50)
    assert "not the state of Adam" in note.text
    assert not copies(epochs(saved(), saved(optimizer=True))).notes
    assert not copies(epochs(saved(position=False))).notes
    assert not copies(epochs(saved(), optimizers=())).notes


def copied(weights, **facts):
    given = {"name": "Net", "of": "Net", "stale": (), "is_evaluated": True, "at": at(60)}
    return epochs(copies=(Copy(weights=weights, **{**given, **facts}),))


def test_an_average_that_is_almost_the_model_has_a_note():
    (note,) = copies(copied((0.99,) * 6)).notes
    assert (note.name, note.line) == ("loop/average", 60)
    assert "takes 0.99 of the new weights" in note.text
    assert not copies(copied((1.0, 0.5, 0.33, 0.25, 0.2))).notes  # a warm-up
    assert not copies(copied((1.0,) * 6)).notes  # a copy


def test_an_average_without_its_buffers_has_a_note_if_it_is_evaluated():
    (note,) = copies(copied((0.1,) * 6, stale=("norm.running_mean",))).notes
    assert note.name == "loop/average-buffers"
    assert not copies(copied((0.1,) * 6, stale=("norm",), is_evaluated=False)).notes


def untrained(*numbers, update=4):
    facts = {"keys": ("a", "b"), "position": False, "model": True, "optimizer": False}
    saves = [event(Saved, 60, update, untrained=number, **facts) for number in numbers]
    return [note.text for note in copies(epochs(*saves)).notes]


def test_files_without_anything_trained_are_a_note():
    (text,) = untrained(4, 4)
    assert text == (
        "each of the 4 tensors that are saved here is as it was before the first update, though "
        "training has moved others, and nothing else is saved. Is the result of a merge dropped?"
    )


@pytest.mark.parametrize("numbers", [(4, 0), (0,), ()])
def test_files_with_anything_trained_are_not_noted(numbers):
    assert untrained(*numbers) == []
    assert untrained(4, update=0) == []
