"""How many places later labels lie in a text."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.invariants.loss.shift import shifts
from symmetry.training.losses import Argument, LossCall, Tokens
from tests.invariants.loss.judging import PLACE

TEXT = np.array([[4, 7, 1, 9, 3, 8], [2, 2, 5, 0, 6, 1]])


def found(labels, text=TEXT, **options):
    scores = Argument.of(np.zeros((labels.size, 10)), trained=True)
    target = Argument.of(labels.ravel())
    options = {"ignore_index": -100, **options}
    loss = LossCall(0, 0, "cross_entropy", {"input": scores, "target": target}, options, PLACE)
    return shifts([loss], [Tokens(0, 0, text)])


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (TEXT, 0),
        (TEXT[:, 1:], 1),
        (np.pad(TEXT[:, 1:], ((0, 0), (0, 1)), constant_values=-100), 1),
        (TEXT[:, 2:], 2),
        (TEXT[:, 1:-1], 1),
    ],
)
def test_labels_are_tokens_some_places_later(labels, places):
    (shift,) = found(labels)
    assert shift.places == places
    assert not shift.transposed


def test_texts_may_come_with_positions_first():
    (shift,) = found(TEXT.T[1:], TEXT.T)
    assert (shift.places, shift.transposed) == (1, True)
    assert np.array_equal(shift.text, TEXT)
    scores = np.arange(10.0)[:, None]  # of five positions with two samples each
    assert np.array_equal(shift.rows(scores)[:, :, 0], [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]])
    assert np.array_equal(shift.given(TEXT).array, TEXT.T)


def test_labels_that_do_not_count_may_be_anything():
    labels = TEXT[:, 1:].copy()
    labels[:, :2] = -1
    (shift,) = found(labels)
    assert shift.counts.sum() == 6
    labels[:, :2] = 3
    assert found(labels, ignore_index=3)[0].places == 1
    assert found(labels) == []


def test_a_text_that_repeats_itself_and_few_labels_say_nothing():
    same = np.full((2, 6), 4)
    assert found(same, same) == []
    assert found(np.where(np.arange(6) < 5, -100, TEXT)) == []


def test_the_last_label_of_a_shorter_text_may_stand_where_the_tokens_are_padding():
    texts = [[4, 7, 1, 9, 3, 2], [5, 2, 6, 2], [8, 3, 1, 2]]
    given = np.array([[*t[:-1], *[0] * (6 - len(t))] for t in texts])
    labels = np.array([[*t[1:], *[-100] * (6 - len(t))] for t in texts])
    (shift,) = found(labels, given)
    assert (shift.places, shift.ends.sum()) == (1, 2)
    assert not shift.words[given == 0].any()
    other = labels.copy()
    other[1, 1] = 9  # no last one
    assert found(other, given) == []
    given[1, 3:] = 1  # two kinds of padding
    assert found(labels, given) == []
