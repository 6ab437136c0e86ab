"""A start whose runs can be watched: what the search for the culprit needs of any target."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence

from symmetry.observe.tape import Tape
from symmetry.units.state import Array, State
from symmetry.units.units import Units


class WatchedStart(ABC):
    """A start in which units are equal, and runs from it that a tape can watch.

    A subclass says how a run is begun and watched; nothing runs before its methods are called.

    Attributes
    ----------
    name
        What the user calls the target.
    state
        The state before the first step.
    groups
        The groups of equal units.
    limit
        How many times its response to one ulp an array may move by rounding.
    coarse
        Units this close, of the largest entry, count as equal; 0 if only equal bits do.
    forgets
        Whether a run keeps nothing but the state, so that it may go on from any state.
    can_end
        Whether a run may be ended inside of a step: nothing waits for the rest.
    remarks
        What else a reader should know about how it is watched.
    """

    name: str
    state: State
    groups: Sequence[Units]
    limit: float
    coarse = 0.0
    forgets = False
    can_end = False
    remarks: tuple[str, ...] = ()

    @abstractmethod
    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of a fresh run; a tape watches its operations."""

    def last(self, start: State, steps: int, tape: Tape | None = None) -> State:
        """Return the state after the last of ``steps`` steps of a fresh run."""
        return deque(self.states(start, steps, tape), maxlen=1)[0]

    def at(self, start: State) -> WatchedStart:
        """Return the same target at another start."""
        there = copy.copy(self)
        there.state = start
        return there

    def otherwise(self) -> WatchedStart | None:
        """Return the target watched in another way, if it may raise only because it is watched."""
        return None

    def scale(self, array: str) -> float:  # noqa: ARG002
        """Return how large the entries of an array usually are."""
        return 0.1

    def named(self, array: Array, memory: int) -> tuple[str, str]:  # noqa: ARG002
        """Return the user's name of an array of the last watched run, and the rows that it holds.

        Both are empty if the user has no name for it, the second one if it holds all rows.
        """
        return "", ""
