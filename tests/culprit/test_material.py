"""Operands written down as Python: the same layout, and units that are the same."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.culprit.dialect import Dialect
from symmetry.culprit.layout import Axis, Layout
from symmetry.culprit.material import Material
from symmetry.culprit.snapshot import Piece
from tests.culprit.steps import numbers

NUMPY = Dialect("numpy")
COLUMNS = Layout((Axis(1, 0, 4),))


def material(values, layout=None, *, same=True, overwritten=False):
    piece = Piece(0, 0, values.shape, values.strides, values.dtype)
    return Material(values, piece, layout, same, values.dtype.name, overwritten)


def made(text):
    return eval(text, {"np": np})


def write(found, sizes=None, numbers="simple", *, dense=True):
    return found.write(NUMPY, sizes or {}, numbers, dense=dense)


@pytest.mark.parametrize(
    "values",
    [
        numbers((3, 4)),
        numbers((4, 3)).T,
        numbers((2, 4, 3)).transpose(2, 0, 1),
        numbers((5,)),
        numbers((1, 4)),
        np.full((3, 4), 2.5, np.float32),
        np.float32(3) * np.ones((), np.float32),
    ],
    ids=lambda values: f"{values.shape} {values.strides}",
)
def test_shape_strides_and_dtype_are_kept(values):
    array = made(write(material(values)))
    assert (array.shape, array.dtype) == (values.shape, values.dtype)
    longer = [axis for axis, length in enumerate(values.shape) if length > 1]
    assert [array.strides[axis] for axis in longer] == [values.strides[axis] for axis in longer]


@pytest.mark.parametrize("kind", ["simple", "positive"])
def test_equal_units_stay_equal(kind):
    array = made(write(material(np.repeat(numbers((3, 1)), 4, axis=1), COLUMNS), numbers=kind))
    assert (array == array[:, :1]).all()
    assert len(np.unique(array)) == 3
    assert kind == "simple" or (array > 0).all()


def test_the_very_numbers():
    values = np.array([[0.1, 1 / 3, np.nan], [-0.0, np.inf, 1e-40]], np.float32)
    array = made(write(material(values), numbers="exact"))
    assert array.dtype == values.dtype
    assert np.array_equal(array, values, equal_nan=True)
    assert np.signbit(array[1, 0])


def test_the_very_numbers_of_one_unit_stand_for_all():
    values = np.repeat(np.float32([[0.1], [0.7], [0.2]]), 50, axis=1)
    text = write(material(values, Layout((Axis(1, 0, 50),))), numbers="exact")
    assert text == 'np.array([[0.1], [0.7], [0.2]], dtype="float32").repeat(50, 1)'
    assert (made(text) == values).all()


def test_too_many_numbers_are_not_listed():
    assert write(material(numbers((13, 5))), numbers="exact") is None
    listed = write(material(numbers((13, 5))), {13: 2}, numbers="exact")
    assert (made(listed) == numbers((13, 5))[:2]).all()


def test_sizes_can_be_changed():
    assert made(write(material(numbers((3, 4)).T), {3: 2, 4: 5})).shape == (5, 2)


def test_a_part_can_be_cut_out_of_an_array_as_wide():
    part = numbers((3, 6))[:, 2:5]
    assert made(write(material(part))).strides == (12, 4)
    array = made(write(material(part), dense=False))
    assert (array.shape, array.strides) == (part.shape, part.strides)


def test_what_differs_between_units_is_never_replaced():
    mask = np.array([1, 1, 0, 1], np.float32)
    text = write(material(mask, Layout((Axis(0, 0, 4),)), same=False))
    assert text == 'np.array([1.0, 1.0, 0.0, 1.0], dtype="float32")'


def test_what_is_overwritten_is_zero():
    assert write(material(numbers((2, 2)), overwritten=True)) == 'np.zeros((2, 2), dtype="float32")'


def test_in_the_words_of_pytorch():
    values = np.repeat(numbers((3, 1)), 4, axis=1)
    assert material(values, COLUMNS).write(Dialect("torch"), {}, "simple", dense=True) == (
        "torch.linspace(-1, 1, 3, dtype=torch.float32).reshape(3, 1).repeat_interleave(4, 1)"
    )
    assert material(numbers((4, 3)).T).write(Dialect("torch"), {}, "simple", dense=True) == (
        "torch.linspace(-1, 1, 12, dtype=torch.float32).reshape(4, 3).T"
    )


def test_a_repeated_array_of_stride_zero_is_not_written():
    assert write(material(np.broadcast_to(np.float32([1, 2]), (3, 2)))) is None
