from __future__ import annotations

import numpy as np
import pytest

from symmetry.culprit.index import as_index
from symmetry.culprit.snapshot import Piece

WHOLE = np.zeros((5, 6), np.float32)


def piece(array, base):
    offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return Piece(0, offset, array.shape, array.strides, array.dtype)


@pytest.mark.parametrize(
    ("part", "index"),
    [
        (WHOLE, ""),
        (WHOLE[:, 3], "[:, 3]"),
        (WHOLE[1:], "[1:, :]"),
        (WHOLE[1:4, 2:5], "[1:4, 2:5]"),
        (WHOLE[:, ::2], "[:, ::2]"),
        (WHOLE[:, 1::2], "[:, 1::2]"),
        (WHOLE[2], "[2, :]"),
        (WHOLE[2, 3, ...], "[2, 3, ...]"),
        (WHOLE.reshape(-1)[4:20], ".reshape(-1)[4:20]"),
        (WHOLE.T, None),
        (WHOLE[::-1], None),
    ],
)
def test_the_index_cuts_the_part_out(part, index):
    assert as_index(piece(WHOLE, WHOLE), piece(part, WHOLE)) == index


def test_of_a_transposed_array():
    root = WHOLE.T
    assert as_index(piece(root, WHOLE), piece(root[2:4], WHOLE)) == "[2:4, :]"
    assert as_index(piece(root, WHOLE), piece(root[:, 1], WHOLE)) == "[:, 1]"


def test_what_lies_in_front_is_no_part():
    root = WHOLE[1:]
    assert as_index(piece(root, WHOLE), piece(WHOLE[0], WHOLE)) is None
