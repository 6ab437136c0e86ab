"""The exact invariants along a whole experiment, judged after every single step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmetry.steps.catalogue import DEAD_INPUTS, ZERO_START
from symmetry.steps.start import hidden_units
from symmetry.units.compare import Floats
from symmetry.units.follow import Follower, Split
from symmetry.units.state import finite
from symmetry.units.units import Part, Units


@dataclass(frozen=True)
class Outcome:
    """One exact invariant over one run.

    The first iteration with a number that is not finite is the last one compared.
    """

    name: str  # in the catalogue
    holds: bool | None  # None where units did not start as clones, of which it says nothing
    counted: bool  # whether two units moved; else that it holds proves nothing
    iterations: int  # that were compared
    max_ulps: int  # the largest distance of two units in any entry, at any iteration
    distinct: int  # how many different ones there were when compared last
    split: Split | None  # where it first failed


class ExactInvariants:
    """Follows a network's columns of w1, hidden rows of w2 and the rows of dead inputs.

    It is given the weights before the first step, and which inputs are ``dead``: zero in every
    sample. Where their rows of w1 start at zero, they are followed together with a row of zeros.
    ``judged`` is whether the units start as clones, so that the invariants speak about this run.
    """

    def __init__(
        self, w1: Floats, w2: Floats, dead: NDArray[np.bool_], *, judged: bool = True
    ) -> None:
        self._judged = judged
        start = {"w1": w1, "w2": w2}
        units = hidden_units(w1.shape[1])
        self._columns, self._rows = (
            Follower(units.only_in(name), start, [range(units.count)]) for name in start
        )
        self._dead = np.flatnonzero(dead) + 1  # row 0 of w1 is the bias
        self._live = np.flatnonzero(~dead) + 1
        self._live_moved = False
        self._dead_rows: Follower | None = None
        if len(self._dead) > 0 and not w1[self._dead].any():
            rows = Units("rows of zeros", 1 + len(self._dead), (Part("rows", axis=0),))
            self._dead_rows = Follower(rows, self._with_zeros(w1))

    def see(self, iteration: int, w1: Floats, w2: Floats) -> None:
        """Compare the weights after a step, unless those of an earlier step were not finite."""
        weights = {"w1": w1, "w2": w2}
        for follower in (self._columns, self._rows):
            follower.see(iteration, weights)
        ended = self._columns.steps < iteration or not finite(weights)
        if self._dead_rows and not ended:
            self._dead_rows.see(iteration, self._with_zeros(w1))
            self._live_moved = self._live_moved or bool(w1[self._live].any())

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what was seen: two outcomes, and a third where there are dead inputs."""
        columns, rows = ZERO_START
        found = [
            _outcome(columns, self._columns, self._columns.moved, self._judged),
            _outcome(rows, self._rows, self._rows.moved, self._judged),
        ]
        if self._dead_rows:
            found.append(_outcome(DEAD_INPUTS, self._dead_rows, self._live_moved))
        return tuple(found)

    def _with_zeros(self, w1: Floats) -> dict[str, Floats]:
        return {"rows": np.concatenate([np.zeros_like(w1[:1]), w1[self._dead]])}


def _outcome(name: str, follower: Follower, moved: bool, judged: bool = True) -> Outcome:
    """Return what was seen; ``judged`` is whether the units ought to have stayed equal."""
    return Outcome(
        name=name,
        holds=follower.split is None if judged else None,
        counted=judged and moved and follower.clones,
        iterations=follower.steps,
        max_ulps=follower.max_ulps,
        distinct=len(follower.groups),
        split=follower.split if judged else None,
    )
