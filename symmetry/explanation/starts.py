"""Starts whose runs can be watched, with units made equal, different, or moved by one ulp."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.observe.tape import Tape
from symmetry.units.state import Array, State
from symmetry.units.ulps import is_discrete, up_or_down
from symmetry.units.units import Units


class TapedStart(ABC):
    """A start in which units are equal, and runs from it that a tape can watch.

    A subclass says how a run is begun and watched; nothing runs before its methods are called.
    """

    name: str  # what the user calls the target
    state: State  # before the first step
    groups: Sequence[Units]  # of equal units
    limit: float  # how many times its response to one ulp an array may move by rounding
    coarse = 0.0  # units this close, of the largest entry, count as equal; 0 if only equal bits do
    forgets = False  # whether a run keeps nothing but the state: it may go on from any state
    can_end = False  # whether a run may be ended inside of a step: nothing waits for the rest
    remarks: tuple[str, ...] = ()  # what else a reader should know about how it is watched

    @abstractmethod
    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of a fresh run; a tape watches its operations."""

    def last(self, start: State, steps: int, tape: Tape | None = None) -> State:
        """Return the state after the last of ``steps`` steps of a fresh run."""
        return deque(self.states(start, steps, tape), maxlen=1)[0]

    def at(self, start: State) -> TapedStart:
        """Return the same target at another start."""
        there = copy.copy(self)
        there.state = start
        return there

    def otherwise(self) -> TapedStart | None:
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


_ODD = 3  # one of this many units stays different, and at least two are equal
_SPREAD = 0.3  # how far units are moved apart, of their own size


def with_different(
    state: State,
    units: Units,
    some: Sequence[int],
    scale: Callable[[str], float],
    seed: int,
) -> dict[str, Array]:
    """Return the state with some of the units made different from all others.

    Entries that are positive everywhere, such as variances, stay so. ``scale`` is the usual size of
    an array's entries: it may be near zero.
    """
    random, new = Random(seed, 7), dict(state)
    for part in units.parts:
        if part.array not in new or new[part.array].dtype.kind != "f":
            continue
        for name in part.names:
            if new[name] is state[name]:
                new[name] = new[name].copy()
        views = [new[name][None] if part.arrays else part.view(new[name]) for name in part.names]
        size = max(float(np.std(views[0])), scale(part.array) / 3)  # what is tiny moves nothing
        positive = all(bool((view > 0).all()) for view in views)
        places = part.places(units.count)
        for unit in some:
            view, rows = (views[unit], [0]) if part.arrays else (views[0], places[unit])
            draws = _SPREAD * random.normals(view[rows].shape)
            more = 0 if positive else _SPREAD * size * random.normals(view[rows].shape)
            view[rows] = view[rows] * np.exp(draws) + more
    return new


def nudged(state: State, seed: int) -> dict[str, Array]:
    """Return the state with floating-point numbers moved by one ulp, up or down.

    Discrete arrays stay: code may read one as a mask, or as numbers of rows.
    """
    floats = {n: a for n, a in state.items() if a.dtype.kind == "f" and not is_discrete(a)}
    return {**state, **up_or_down(floats, Random(seed, 8))}


def cloned(count: int, shift: int) -> Array:
    """Return an order in which most units are copies of one."""
    order = np.arange(count)
    clones = order if count <= _ODD else order[(order + shift) % _ODD != 0]
    order[clones] = clones[len(clones) // 2]
    return order
