"""Judging the exact invariants along a training run, after every single step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.invariants import two_layer
from symmetry.units import compare

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Split:
    """The first time that things which should be alike were not.

    Attributes
    ----------
    iteration
        Counted from 1.
    ulps
        The largest distance between any two of them at that iteration.
    groups
        The indices of those that were still alike, one tuple a group.
    """

    iteration: int
    ulps: int
    groups: tuple[compare.Group, ...]


@dataclass(frozen=True)
class Outcome:
    """One exact invariant over one run.

    Attributes
    ----------
    name
        Its name in the catalogue.
    holds
        Whether it held at every iteration that was compared; None for a run about which it says
        nothing, because its units did not start alike.
    counted
        Whether there was anything to tell apart: two things that moved. Otherwise that it holds
        proves nothing.
    iterations
        How many iterations were compared. The first one with a number that is not finite is the
        last one compared.
    max_ulps
        The largest distance of any two of them in any entry, at any iteration.
    distinct
        How many different ones there were at the last iteration compared.
    split
        Where it first failed; None if it did not.
    """

    name: str
    holds: bool | None
    counted: bool
    iterations: int
    max_ulps: int
    distinct: int
    split: Split | None


class Likeness:
    """Watches whether the rows of a matrix stay alike; ``name`` is the invariant that says so."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._counted = False
        self._iterations = 0
        self._max_ulps = 0
        self._distinct = 1
        self._split: Split | None = None

    def see(self, iteration: int, rows: Floats, *, moved: bool) -> None:
        """Compare the rows after a step; ``moved`` is whether any has left its start by now."""
        groups = compare.group_rows(rows)
        ulps = compare.spread_ulps(rows)
        self._counted = self._counted or (moved and len(rows) > 1)
        self._iterations = iteration
        self._max_ulps = max(self._max_ulps, ulps)
        self._distinct = len(groups)
        if len(groups) > 1 and self._split is None:
            self._split = Split(iteration, ulps, groups)

    def outcome(self, *, judged: bool = True) -> Outcome:
        """Return what was seen; ``judged`` is whether the rows ought to have stayed alike."""
        return Outcome(
            name=self._name,
            holds=self._split is None if judged else None,
            counted=judged and self._counted,
            iterations=self._iterations,
            max_ulps=self._max_ulps,
            distinct=self._distinct,
            split=self._split if judged else None,
        )


class Watch:
    """Watches a network's columns of w1, hidden rows of w2 and the rows of dead inputs.

    Parameters
    ----------
    w1, w2
        The weights before the first step, shapes (i + 1, h) and (h + 1, c).
    dead
        Shape (i,): the inputs that are zero in every sample. Where their rows of w1 start at zero,
        they are watched together with a row of zeros.
    judged
        Whether the units start alike, so that the invariants speak about this run.
    """

    def __init__(self, w1: Floats, w2: Floats, dead: NDArray[np.bool_], *, judged: bool) -> None:
        self._start = w1, w2
        self._judged = judged
        self._finite = True
        self._columns = Likeness("symmetry/w1-columns")
        self._rows = Likeness("symmetry/w2-rows")
        self._dead_rows = Likeness("symmetry/dead-inputs")
        self._dead = np.flatnonzero(dead) + 1  # row 0 of w1 is the bias
        self._live = np.flatnonzero(~dead) + 1
        self._watch_dead = len(self._dead) > 0 and not w1[self._dead].any()

    def see(self, iteration: int, w1: Floats, w2: Floats) -> None:
        """Compare the weights after a step, unless those of an earlier step were not finite."""
        if not self._finite:
            return
        start = self._start
        for likeness, matrix, old, new in (
            (self._columns, "w1", start[0], w1),
            (self._rows, "w2", start[1], w2),
        ):
            old, new = two_layer.units_of(matrix, old), two_layer.units_of(matrix, new)
            likeness.see(iteration, new, moved=not compare.identical(old, new))
        self._finite = bool(np.isfinite(w1).all() and np.isfinite(w2).all())
        if self._watch_dead and self._finite:
            rows = np.concatenate([np.zeros_like(w1[:1]), w1[self._dead]])
            self._dead_rows.see(iteration, rows, moved=bool(w1[self._live].any()))

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what was seen: two outcomes, and a third where there are dead inputs."""
        judged = self._judged
        alike = (self._columns.outcome(judged=judged), self._rows.outcome(judged=judged))
        return (*alike, self._dead_rows.outcome()) if self._watch_dead else alike
