"""Scripts in JAX that are resumed: their mistakes are caught, and nearly wrong ones are not."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from tests.conftest import needs
from tests.invariants.resume import measuring
from tests.jax.script.resumed_scripts import FAULTS, NOTED, SOUND, text

pytestmark = [needs("flax"), needs("equinox"), pytest.mark.slow]


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Return a function that measures the laws of resumed runs on a script with these parts."""
    monkeypatch.chdir(tmp_path)
    return lambda **parts: measuring.measured(tmp_path, text(**parts))


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_caught(measured, name):
    invariant, says, parts = FAULTS[name]
    found = measured(**parts)[invariant]
    assert found.violation is not None, found
    assert says in found.violation.message
    assert "pickle.dump" in text(**parts).splitlines()[found.violation.line - 1]


@pytest.mark.parametrize("name", SOUND)
def test_a_script_that_is_nearly_wrong_is_not_accused(measured, name):
    for found in measured(**SOUND[name]).values():
        assert found.counted
        assert found.violation is None
        half = {"resume/half-written"} if "os.replace" not in text(**SOUND[name]) else set[str]()
        assert {note.name for note in found.notes} <= half


@pytest.mark.parametrize("name", NOTED)
def test_what_many_scripts_mean_is_a_note(measured, name):
    kind, says, parts = NOTED[name]
    found = measured(**parts)
    assert all(each.violation is None for each in found.values())
    notes = [note for each in found.values() for note in each.notes]
    assert [note.name for note in notes] == [kind]
    assert says in notes[0].text


def test_a_script_that_does_not_save_is_an_error(measured):
    with pytest.raises(SymmetryError, match="--resume-with: it saves nothing"):
        measured(save="pass")


def test_a_step_that_is_not_one_jitted_function_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gradient = "jax.value_and_grad(loss_of)"
    eager = text().replace("@jax.jit\n", f"gradient = jax.jit({gradient})\n")
    eager = eager.replace(f"grads = {gradient}", "grads = gradient")
    with pytest.raises(SymmetryError, match="none of its updates is seen"):
        measuring.measured(tmp_path, eager)
