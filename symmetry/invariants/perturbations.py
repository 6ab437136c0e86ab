"""Two-layer settings that are about one ulp away from another one.

Some changes are random, entry by entry; their effects on a sum cancel, while a kernel that sums in
another order may err in one direction. Therefore others are coherent: the same direction in every
entry.

Ulps of small weights are not all. A network's outputs are compared with labels of 0 and 1, and are
rounded as such. From zero weights, or tiny ones, with as many samples in each class, that rounding
is all that is left of the gradient; and no argument has an ulp of its size. So the outputs are
moved as well: for all samples alike, by the bias row of w2, where this shift itself is taken off
the result; and for each sample by itself, by its labels. An optimiser that divides by the size of
the gradient makes a full step of such a remainder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from symmetry.data.random import Random
from symmetry.units.compare import Floats
from symmetry.units.state import Array

RANDOM_CHANGES = 4
OUTPUT_CHANGES = 2
LABEL_CHANGES = 4
PERTURBATIONS = RANDOM_CHANGES + 8 + OUTPUT_CHANGES + LABEL_CHANGES


def perturbations(
    x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float, random: Random
) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Yield which of the five arguments become what, ``PERTURBATIONS`` times.

    First come random ones, each nonzero entry of x, w1 and w2 one ulp up or down. Then one ulp
    outward, and inward, in all of x, w1 and w2; in w1 alone; in w2 alone; and lr * (1 ± eps). Then
    eps is added to the bias of half of the classes, and taken from that of the others. At last, in
    each sample, eps with a random sign moves from the label of the true class to another one.

    The second value is what has been added to an array and does not count as a change of it.
    """
    eps = float(np.finfo(w1.dtype).eps)
    for _ in range(RANDOM_CHANGES):
        yield {name: _up_or_down(a, random) for name, a in (("x", x), ("w1", w1), ("w2", w2))}, {}
    for away in (True, False):
        yield {"x": _moved(x, away), "w1": _moved(w1, away), "w2": _moved(w2, away)}, {}
        yield {"w1": _moved(w1, away)}, {}
        yield {"w2": _moved(w2, away)}, {}
    yield {"lr": lr * (1 + eps)}, {}
    yield {"lr": lr * (1 - eps)}, {}
    for _ in range(OUTPUT_CHANGES):
        shifted = w2.copy()
        shifted[0] += np.where(random.permutation(w2.shape[1]) % 2, eps, -eps).astype(w2.dtype)
        yield {"w2": shifted}, {"w2": np.subtract(shifted, w2, dtype=np.float64)}
    for _ in range(LABEL_CHANGES):
        yield {"y": _relabelled(y, eps, random)}, {}


def _relabelled(y: Floats, eps: float, random: Random) -> Floats:
    """Move eps, with a random sign for each sample, between its true class and another one."""
    n, c = y.shape
    moved = y.copy()
    if c > 1:
        rows, true = np.arange(n), y.argmax(axis=1)
        other = (true + 1 + random.integers(c - 1, (n,))) % c
        step = np.where(random.integers(2, (n,)) == 1, eps, -eps).astype(y.dtype)
        moved[rows, true] -= step
        moved[rows, other] += step
    return moved


def _up_or_down(a: Floats, random: Random) -> Floats:
    up = random.integers(2, a.shape) == 1
    return _towards(np.where(up, np.inf, -np.inf).astype(a.dtype), a)


def _moved(a: Floats, away_from_zero: bool) -> Floats:
    return _towards(np.copysign(np.inf, a) if away_from_zero else np.zeros_like(a), a)


def _towards(target: Floats, a: Floats) -> Floats:
    """Return the neighbours of all entries in the direction of a target; zeros stay zeros."""
    with np.errstate(all="ignore"):
        return np.where(a == 0, a, np.nextafter(a, target))
