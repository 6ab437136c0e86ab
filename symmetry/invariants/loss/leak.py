"""The first module that lets outputs see later tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.invariants.loss.shift import Shift
from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.losses import LeakSearch, LossProbe, Moved, Tokens
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array

_TOLERANCE = 1e-9  # of the largest entry

_Positions = Mapping[int, Array]


def first_leak(start: TrainingStart, shift: Shift, text: Array, cut: int) -> Moved | None:
    """Return the first module whose output moves before a place, where none of its inputs does.

    ``text`` is another one from this place on. None if all that can be seen are the outputs.
    """
    texts, axis = (shift.given(shift.text), shift.given(text)), 0 if shift.transposed else 1
    search = start.begin(noise=False).capability(LeakSearch)
    if search is not None:
        return search.leak(shift.loss, texts, cut, axis)
    plain, changed = (_calls(start, tokens) for tokens in texts)
    for (module, given, made), (_, other_given, other_made) in zip(plain, changed, strict=False):
        if _moves(made, other_made, cut, axis) and not _moves(given, other_given, cut, axis):
            return module
    return None


def _calls(start: TrainingStart, tokens: Tokens) -> list[tuple[Moved, Any, Any]]:
    run = start.begin(noise=False)
    with needed(run, LossProbe).positions(tokens) as found:
        try:
            needed(run, Rehearsing).rehearse(1, 0)
        except TrainingError:
            return []
    run.close()
    return found


def _moves(plain: _Positions, other: _Positions, cut: int, axis: int) -> bool:
    """Return whether anything differs before a place."""
    for number, array in plain.items():
        if number in other and other[number].shape == array.shape:
            a, b = (each.take(range(cut), axis) for each in (array, other[number]))
            with np.errstate(invalid="ignore"):  # masks hold infinities
                gap = np.nan_to_num(a - b)
            if _largest(gap) > _TOLERANCE * _largest(a):
                return True
    return False


def _largest(array: Array) -> float:
    return float(abs(np.nan_to_num(array)).max(initial=0.0))
