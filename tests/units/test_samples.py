"""Arrays that differ at one of four samples alone, along some axis, or at others, too."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.units.samples import axes_of, is_alone, pairs_alone, rows_of

COUNT, SAMPLE = 4, 2


def moved(*shape, where):
    """Return which entries of an array differ: those at some places."""
    found = np.zeros(shape, bool)
    found[where] = True
    return found


@pytest.mark.parametrize(
    ("shape", "where", "axes"),
    [
        ((4, 5), (SAMPLE,), [0]),
        ((5, 4), (slice(None), SAMPLE), [1]),
        ((4, 4), (SAMPLE, SAMPLE), [0, 1]),
        ((4, 5), (1,), []),
        ((8, 5), (slice(4, 6),), [0]),  # two rows of each sample, one after the other
        ((8, 5), (slice(SAMPLE, None, 4),), [0]),  # every fourth
        ((2, 2, 3), (1, 0), [0]),  # a batch in two groups
        ((6, 8), (2,), []),  # a row in which two samples lie
    ],
)
def test_the_axes_of_the_samples_are_those_along_which_one_alone_moved(shape, where, axes):
    assert axes_of(moved(*shape, where=where), COUNT, SAMPLE) == axes


def test_pairs_with_the_sample_may_move():
    found = moved(4, 4, where=(SAMPLE,))
    found[:, SAMPLE] = True
    assert axes_of(found, COUNT, SAMPLE) == []
    assert pairs_alone(found, COUNT, SAMPLE)
    assert is_alone(found, COUNT, SAMPLE)
    found[0, 1] = True
    assert not pairs_alone(found, COUNT, SAMPLE)
    assert is_alone(found, COUNT, SAMPLE) is False


@pytest.mark.parametrize(
    ("shape", "where"),
    [
        ((4, 5), (slice(0),)),  # nothing differs
        ((3, 5), (1,)),  # no axis of samples
        ((8, 5), (1,)),  # a length that is a multiple by chance
    ],
)
def test_of_some_arrays_nothing_can_be_said(shape, where):
    assert is_alone(moved(*shape, where=where), COUNT, SAMPLE) is None


def test_rows_of_samples_lie_along_the_first_axis_of_their_number_or_of_a_multiple():
    array = np.arange(24).reshape(3, 8)
    blocks = rows_of(array, COUNT)
    assert blocks.shape == (COUNT, 2, 3)
    assert (blocks[SAMPLE] == array[:, 4:6].T).all()
    assert rows_of(array.reshape(2, 4, 3), COUNT).shape == (COUNT, 1, 2, 3)
    assert rows_of(np.zeros((3, 5)), COUNT) is None
