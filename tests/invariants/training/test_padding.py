"""Padding that no mask hides has a note, where the model's own token says that it is padding."""

from __future__ import annotations

from symmetry.invariants.training.padding import padding
from symmetry.training.start import TrainingStart
from tests.faulty.trainings.scripts import FOLDER
from tests.sound.trainings.scripts import script


def test_padding_without_a_mask_has_a_note():
    target = script(FOLDER / "texts_without_a_mask.py")
    found = padding(TrainingStart(target, "float64"))
    (note,) = found.notes
    assert found.violation is None
    assert (note.name, note.line) == ("training/unmasked", 32)
    assert note.text.startswith("Texts is given rows with padding on the right (pad_token_id of")
