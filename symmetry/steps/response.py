"""How far one step's result moves when its arguments move by one ulp.

The rounding of a step cannot be computed without its code. But a step that answers changes of one
ulp in its arguments with changes of size R cannot be expected to compute anything to much better
than R, whatever its activation, loss or optimiser. So deviations are measured in
multiples of R, each array apart.

Some changes are random, entry by entry; their effects on a sum cancel, while a kernel that sums in
another order may err in one direction. Therefore others are coherent: the same direction in every
entry.

Ulps of small weights are not all. A network's outputs are compared with labels of 0 and 1, and are
rounded as such. From zero weights, or tiny ones, with as many samples in each class, that rounding
is all that is left of the gradient; and no argument has an ulp of its size. So the outputs are
moved as well: for all samples by the same amount, by the bias row of w2, where this shift itself is
taken off the result; and for each sample by itself, by its labels. An optimiser that divides by the
size of the gradient makes a full step of such a remainder.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.units.compare import Floats
from symmetry.units.state import Array, State, difference, finite
from symmetry.units.ulps import signs, towards, up_or_down

FIRST, _OUTPUTS, _LABELS = 4, 2, 4  # changes of a kind: the random ones come first
PERTURBATIONS = FIRST + 8 + _OUTPUTS + _LABELS


def perturbations(
    start: State, lr: float, random: Random
) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Yield which of the five arguments become what, ``PERTURBATIONS`` times.

    First come random ones, each nonzero entry of x, w1 and w2 one ulp up or down. Then one ulp
    outward, and inward, in all of x, w1 and w2; in w1 alone; in w2 alone; and lr * (1 ± eps). Then
    eps is added to the bias of half of the classes, and taken from the bias of the others. At last,
    in each sample, eps with a random sign moves from the label of the true class to another one.

    The second value is what has been added to an array and does not count as a change of it.
    """
    arrays, y, w2 = {name: start[name] for name in ("x", "w1", "w2")}, start["y"], start["w2"]
    eps = float(np.finfo(w2.dtype).eps)
    for _ in range(FIRST):
        yield up_or_down(arrays, random), {}
    for outward in (True, False):
        moved = {
            name: towards(np.copysign(np.inf, a) if outward else np.zeros_like(a), a)
            for name, a in arrays.items()
        }
        yield moved, {}
        yield {"w1": moved["w1"]}, {}
        yield {"w2": moved["w2"]}, {}
    yield {"lr": lr * (1 + eps)}, {}
    yield {"lr": lr * (1 - eps)}, {}
    for _ in range(_OUTPUTS):
        shifted = w2.copy()
        shifted[0] += np.where(random.permutation(w2.shape[1]) % 2, eps, -eps).astype(w2.dtype)
        yield {"w2": shifted}, {"w2": np.subtract(shifted, w2, dtype=np.float64)}
    for _ in range(_LABELS):
        yield {"y": _relabelled(y, eps, random)}, {}


def response(result: State, nearby: Sequence[tuple[State, State]]) -> dict[str, float] | None:
    """Return R for each array of a step's result, given the results of perturbed steps.

    It is the largest change, but at least a quarter of the ulp of the largest entry. With each
    result comes the shift that the perturbation itself has added to arrays of it, which does not
    count. None where a number is not finite.
    """
    if not all(map(finite, [result, *(state for state, _ in nearby)])):
        return None
    largest: dict[str, float] = {}
    for name, a in result.items():
        others = [np.subtract(b[name], shift.get(name, 0), dtype=np.float64) for b, shift in nearby]
        least = float(np.finfo(a.dtype).eps) * float(abs(a).max(initial=0.0)) / 4
        largest[name] = max([least, *(difference(a, other) for other in others)])
    return None if math.inf in largest.values() else largest


class Response:
    """The response of one step by as many changes as it takes: each is a step of its own.

    More changes make it larger, never smaller: what few of them explain is explained.
    """

    def __init__(
        self, result: State, nearby: Iterator[tuple[Callable[[], dict[str, Array]], State]]
    ) -> None:
        """Take the result, and for each change what takes the step, and its shift."""
        self._result, self._nearby = result, nearby
        self._near: list[tuple[State, State]] = []
        self._next: tuple[Callable[[], dict[str, Array]], State] | None = None
        self._found: Mapping[str, float] = {}

    def of(self, count: int) -> Mapping[str, float]:
        """Return R by this number of changes or more; empty if not all numbers are finite."""
        if len(self._near) < count:
            while len(self._near) < count:
                self._next = self._next or next(self._nearby)  # a step that raises does so again
                step, shift = self._next
                self._near.append((step(), shift))
                self._next = None
            self._found = response(self._result, self._near) or {}
        return self._found


def _relabelled(y: Floats, eps: float, random: Random) -> Floats:
    """Move eps, with a random sign for each sample, between its true class and another one."""
    n, c = y.shape
    moved = y.copy()
    if c > 1:
        rows, true = np.arange(n), y.argmax(axis=1)
        other = (true + 1 + random.integers(c - 1, (n,))) % c
        step = (signs(random, (n,)) * eps).astype(y.dtype)
        moved[rows, true] -= step
        moved[rows, other] += step
    return moved
