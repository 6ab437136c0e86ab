"""Writing an operation down as Python."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.observe.call import Call, Slot, fill, filler
from symmetry.observe.source_line import SourceLine


def call(args, path, **kwargs):
    return Call(
        "numpy", "f", SourceLine("", 0), (), (), list, False, args=args, kwargs=kwargs, path=path
    )


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((Slot(0), 2, "ij"), "np.f(a, 2, 'ij')"),
        ((Slot(1), [Slot(0), None]), "np.f(b, [a, None])"),
        (((1,), ..., slice(2)), "np.f((1,), ..., slice(None, 2, None))"),
        ((np.float32(0.5), float("inf")), 'np.f(np.float32(0.5), float("inf"))'),
        ((np.dtype("float32"), np.float64, bool), 'np.f("float32", "float64", bool)'),
    ],
)
def test_arguments_are_written_as_python(args, text):
    assert call(args, "np.f").write(["a", "b"]) == text


def test_keywords_follow_and_a_format_has_a_place_for_each_argument():
    assert call((Slot(0),), "np.f", axis=1).write(["a"]) == "np.f(a, axis=1)"
    assert call((Slot(0), 3), "{0}[{1}]").write(["a"]) == "a[3]"


def test_what_has_no_text_cannot_be_written():
    assert call((Slot(0), object()), "np.f").write(["a"]) is None
    assert call((np.float32("nan"),), "np.f").write([]) is None
    assert call((), None).write([]) is None


def test_arrays_are_filled_into_their_slots():
    assert fill({"x": [Slot(1), (Slot(0), 5)]}, ["a", "b"]) == {"x": ["b", ("a", 5)]}


@pytest.mark.parametrize(
    "template",
    [
        Slot(1),
        {"x": [Slot(1), (Slot(0), 5)], "y": [2, 3], "z": "text"},
        ((Slot(0), [Slot(1), Slot(0)], 1.5), {"dim": [0, 1]}),
        ([1, 2], {}),
    ],
)
def test_a_filler_fills_one_template_many_times(template):
    filled = filler(template)
    for arrays in (["a", "b"], ["c", "d"]):
        assert filled(arrays) == fill(template, arrays)
