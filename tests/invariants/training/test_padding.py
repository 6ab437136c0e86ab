"""Padding that no mask hides has a note; a mask that hides the words is accused."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.invariants.training.padding import inverted_at, padding
from symmetry.training.losses import Observed, Padded
from symmetry.training.start import TrainingStart
from tests.faulty.trainings.scripts import FOLDER
from tests.invariants.loop.made import at
from tests.sound.trainings.scripts import script


def test_padding_without_a_mask_has_a_note():
    target = script(FOLDER / "texts_without_a_mask.py")
    found = padding(TrainingStart(target, "float64"))
    (note,) = found.notes
    assert found.violation is None
    assert (note.name, note.line) == ("training/unmasked", 32)
    assert note.text.startswith("Texts is given rows with padding on the right (pad_token_id of")


def test_a_mask_that_hides_the_words_is_accused_where_attention_is_called():
    target = script(FOLDER / "words_hidden_by_the_mask.py")
    found = padding(TrainingStart(target, "float64"))
    assert found.violation is not None
    assert found.violation.file is not None
    assert found.violation.file.endswith("words_hidden_by_the_mask.py")
    assert found.violation.line == 16
    assert found.violation.message == (
        "key_padding_mask hides the words and shows the padding: where it is True, attention "
        "leaves a key out. Give it the opposite, ~mask"
    )


@pytest.mark.parametrize(
    ("hidden", "accused"),
    [
        ([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], True),
        ([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]], True),  # the first of an end may be a mark
        ([[0, 0, 0, 1, 1], [0, 0, 0, 0, 1]], False),  # padding is hidden
        ([[0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], False),  # nothing is hidden
        ([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], False),  # two words are shown
        ([[1, 1, 0, 0], [1, 1, 1, 0]], False),  # of other keys
    ],
)
def test_a_mask_is_inverted_if_it_shows_padding_and_hides_the_rest(hidden, accused):
    rows = Padded(0, np.zeros((2, 5)), np.array([[0, 0, 1, 1, 1], [0, 0, 0, 1, 1]], bool), "number")
    seen = Observed(padded=[rows], hidden=[(np.array(hidden, bool), at(7))])
    assert inverted_at(seen) == (at(7) if accused else None)
