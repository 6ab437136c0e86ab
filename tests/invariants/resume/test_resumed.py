"""Scripts that are resumed: their mistakes are caught, and nearly wrong ones are not accused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from symmetry.base.errors import SymmetryError
from tests.conftest import slow
from tests.invariants.resume import measuring
from tests.invariants.resume.scripts import FAULTS, NOTED, SOUND, noisy, text

QUICK = {"schedule", "skipped", "plain", "seeds of the process"}


def some(names: dict[str, Any]) -> list[Any]:
    return [name if name in QUICK else slow(name) for name in names]


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Return a function that measures the laws of resumed runs on a script with these parts."""
    monkeypatch.chdir(tmp_path)
    return lambda **parts: measuring.measured(tmp_path, text(**parts))


@pytest.mark.parametrize("name", some(FAULTS))
def test_a_mistake_is_caught(measured, name):
    invariant, says, parts = FAULTS[name]
    found = measured(**parts)[invariant]
    assert found.violation is not None, found
    assert says in found.violation.message
    assert found.violation.file.endswith("train.py")
    assert "torch.save" in text(**parts).splitlines()[found.violation.line - 1]


@pytest.mark.parametrize("name", some(SOUND))
def test_a_script_that_is_nearly_wrong_is_not_accused(measured, name):
    for found in measured(**SOUND[name]).values():
        assert found.counted
        assert found.violation is None
        assert not found.notes


@pytest.mark.parametrize("name", some(NOTED))
def test_what_many_scripts_mean_is_a_note(measured, name):
    kind, says, parts = NOTED[name]
    found = measured(**parts)
    assert all(each.violation is None for each in found.values())
    notes = [note for each in found.values() for note in each.notes]
    assert [note.name for note in notes] == [kind]
    assert says in notes[0].text


@pytest.mark.parametrize(
    ("place", "says"),
    [
        slow(
            "saved['epoch'], saved.get('position', 0)",
            "it goes back to the batch of update 1 instead of update 7",
        ),
        slow("saved['epoch'] + 1, 0", "it leaves out batches: it goes on with the batch of update"),
    ],
)
def test_a_place_is_found_by_its_rows_whatever_is_added_to_them(tmp_path, monkeypatch, place, says):
    monkeypatch.chdir(tmp_path)
    found = measuring.measured(tmp_path, noisy(place=place))["resume/batches"]
    assert found.violation is not None
    assert says in found.violation.message


@pytest.mark.slow
def test_the_right_rows_with_their_noise_are_sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for found in measuring.measured(tmp_path, noisy()).values():
        assert found.violation is None
        assert not found.notes


@pytest.mark.slow
def test_other_noise_on_the_right_rows_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = measuring.measured(tmp_path, noisy(random="pass"))["resume/batches"]
    assert found.violation is None
    assert [note.name for note in found.notes] == ["resume/order"]
    assert "reads the same rows with other noise" in found.notes[0].text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("saves", "says"),
    [
        ("step % 2 == 0", "the batch of update 7 instead of update 9"),
        (
            "step in (7, 8)",
            "the batch of update 6 instead of update 9",
        ),  # read before the first time
    ],
)
def test_the_second_time_it_is_resumed_counts_as_well(measured, saves, says):
    """The place in the epoch counts the batches of this process only."""
    counts = "done = batch + 1 - (skip if epoch == start else 0)"
    found = measured(after=counts, more="'batch': done", saves=saves)
    assert found["resume/batches"].violation is not None
    assert "resumed once more" in found["resume/batches"].violation.message
    assert says in found["resume/batches"].violation.message


@pytest.mark.slow
def test_other_arguments_may_mean_another_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken = text(**FAULTS["too few"][2])
    found = measuring.measured(tmp_path, broken, ["--long"])["resume/batches"]
    assert found.violation is None
    assert [note.name for note in found.notes] == ["resume/length"]


def test_a_training_that_is_not_resumed_is_not_judged():
    start: Any = SimpleNamespace(target=SimpleNamespace(resumed_runs=lambda _: None), seed=0)
    for law in measuring.LAWS.values():
        found = law.measure(start)
        assert not found.applies
        assert "--resume-with" in found.note


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"saves": "False"}, "--resume-with: it saves nothing (12 updates, to the script's end)"),
        slow({"saves": "step == 12"}, "it only saves at its end (12 updates, to the script's end)"),
        slow(
            {
                "load": "model.load_state_dict(state) if False else setattr(model, 'weights', 0); "
                "torch.manual_seed(0); [m.reset_parameters() for m in model if hasattr(m, 'bias')]"
            },
            "it begins with parameters that it did not save after 6 updates",
        ),
        slow({"load": "raise KeyError('lost')"}, "it fails: train.py raised KeyError: 'lost'"),
        slow({"load": "sys.exit()"}, "it makes no update, and 3 were left"),
    ],
)
def test_why_nothing_can_be_said_is_an_error(measured, parts, says):
    with pytest.raises(SymmetryError) as caught:
        measured(**parts)
    assert says in str(caught.value)


@pytest.mark.slow
def test_a_script_that_loads_nothing_begins_from_the_start(measured):
    with pytest.raises(SymmetryError, match="with --resume it begins from the start"):
        measured(before="sys.argv.remove('--resume') if '--resume' in sys.argv else 0")
