"""Texts with other tokens, and the outputs that they move."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.losses import LossProbe, Padded
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.compare import unequal
from symmetry.units.state import Array


def with_others(text: Array, places: Array, words: Array | None = None) -> Array:
    """Return a text with other tokens of the batch at some places.

    With ``words`` only tokens at these places are moved, and to these places, if there are any.
    """
    if words is not None and (places & words).any():
        places, pool = places & words, text[words]
    else:
        pool = text.ravel()
    part = text[places]
    other = pool[(np.arange(part.size) * 7 + 3) % len(pool)]
    for spare in (pool[0], pool[-1]):
        other = np.where(other == part, spare, other)
    changed = text.copy()
    changed[places] = other
    return changed


def outputs_with(start: TrainingStart, padded: Padded, text: Array) -> Mapping[int, Array]:
    """Return what losses of classes are given, as rows, when an embedding looks up another text."""
    run = start.begin(noise=False)
    with needed(run, LossProbe).padded(padded, text) as found:
        needed(run, Rehearsing).rehearse(1, 0)
    run.close()
    return found


def moved(plain: Array, other: Array) -> Array | None:
    """Return which rows of scores another text has moved; None if there are other rows."""
    if other.shape != plain.shape:
        return None
    return np.asarray(unequal(plain, other).any(-1))
