"""The start of a two-layer step: its arrays, its units, how it is run, and its response."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.law.start import Orders
from symmetry.steps.response import FIRST, PERTURBATIONS, Response, perturbations
from symmetry.steps.step import TwoLayerRun, TwoLayerStep
from symmetry.units.compare import Floats
from symmetry.units.state import Array, State, finite, identical
from symmetry.units.units import Part, Units

_OTHERS, _ORDERS, _RESPONSE = 101, 102, 104  # streams of the seed
_PARTS = {  # row 0 of w1 and w2 is the bias
    "hidden units": (Part("w1", axis=1), Part("w2", axis=0, first=1)),
    "samples": (Part("x", axis=0), Part("y", axis=0)),
    "inputs": (Part("x", axis=1), Part("w1", axis=0, first=1)),
    "classes": (Part("y", axis=1), Part("w2", axis=1)),
}


def hidden_units(h: int) -> Units:
    """Return the hidden units: columns of w1, and rows of w2 below the bias."""
    return Units("hidden units", h, _PARTS["hidden units"])


@dataclass(frozen=True, eq=False)
class StepStart:
    """A start of a two-layer step. Its arrays are never written to: a run hands out copies.

    It is a ``symmetry.law.start.Start``: what the methods of that name promise is said there.
    """

    x: Floats  # inputs without the column of ones, shape (n, i)
    y: Floats  # one-hot labels, shape (n, c)
    w1: Floats  # weights at the start, shape (i + 1, h); row 0 belongs to the bias
    w2: Floats  # the same of shape (h + 1, c)
    lr: float  # learning rate
    iterations: int  # steps of a run
    seed: int  # feeds the random choices of an invariant (a rearrangement, perturbations)
    target: TwoLayerStep | None = None  # the step; None where nothing is to be run

    attempts = 1
    random = ()
    repeatability_hint = ""
    unseeded = ()

    @property
    def hidden(self) -> int:
        """The number h of hidden units."""
        return int(self.w1.shape[1])

    @property
    def state(self) -> dict[str, Array]:
        """The four arrays by name."""
        return {"x": self.x, "y": self.y, "w1": self.w1, "w2": self.w2}

    def units(self, kind: str) -> Units:
        """Return the ``"hidden units"``, ``"samples"``, ``"inputs"`` or ``"classes"``."""
        first, *_ = parts = _PARTS[kind]
        return Units(kind, self.state[first.array].shape[first.axis], parts)

    @property
    def hidden_units(self) -> Units:
        """The hidden units: columns of w1, and rows of w2 below the bias."""
        return self.units("hidden units")

    @property
    def groups(self) -> tuple[Units, ...]:
        """The hidden units, the only group of which an invariant may speak without naming it."""
        return (self.hidden_units,)

    @property
    def limit(self) -> float:
        """How many times its response a step may deviate by rounding alone.

        Roundings add up as a random walk over the longest sum does, or a little worse.
        """
        return max(16.0, 4 * math.sqrt(max(*self.x.shape, self.hidden)))

    def at(self, changed: State) -> StepStart:
        """Return the same start with some of the four arrays replaced."""
        arrays: dict[str, Any] = dict(changed)
        return replace(self, **arrays)

    def orders(self, groups: Sequence[Units], *stream: int) -> Orders:  # noqa: ARG002
        """Return a random order of each group, if it moves units that differ."""
        found: Orders = []
        for units in groups:
            drawn = Random(self.seed, _ORDERS).permutation(units.count).astype(np.int_)
            for order in (drawn, np.roll(range(units.count), 1)):
                if not identical(units.rearranged(self.state, order), self.state):
                    found.append((units, order))
                    break
        return found

    def begin(self) -> TwoLayerRun:
        """Begin a run; what the step raises passes through."""
        assert self.target is not None
        return self.target.start()

    def step(self, run: TwoLayerRun | None = None) -> dict[str, Array]:
        """Return w1 and w2 after a step from here: the next one of a run, or a first one."""
        result = (run or self.begin())(self.x, self.y, self.w1, self.w2, self.lr)
        return {"w1": result.w1, "w2": result.w2}

    def run(self, steps: int | None = None) -> Iterator[dict[str, Array]]:
        """Yield w1 and w2 after each step of a fresh run.

        The first iteration with a number that is not finite is the last one.
        """
        run, here = self.begin(), self
        for _ in range(self.iterations if steps is None else steps):
            weights = here.step(run)
            yield weights
            if not finite(weights):
                return
            here = here.at(weights)

    @cached_property
    def result(self) -> tuple[dict[str, Array], ...]:
        """The state after one step, which all rearrangements are compared with."""
        return (self.step(),)

    def states(self, changed: State) -> tuple[dict[str, Array], ...]:
        """Return the state after one step from a start in which these arrays are replaced."""
        return (self.at(changed).step(),)

    @cached_property
    def _response(self) -> Response:
        """The response of that step to one ulp, by array."""
        nearby = self.nearby(Random(self.seed, _RESPONSE))
        return Response(self.result[0], ((near.step, shift) for near, shift in nearby))

    def responses(self, *, closely: bool = False) -> tuple[Mapping[str, float]]:
        """Return the response of that one step, to few changes or to all of them."""
        return (self._response.of(PERTURBATIONS if closely else FIRST),)

    def glance(self) -> None:
        """Return nothing: its runs are cheap."""

    @property
    def first_run(self) -> list[dict[str, Array]]:
        """The states of a run."""
        return list(self.run())

    def rerun(self, *, other_seeds: bool = False) -> Iterator[dict[str, Array]]:  # noqa: ARG002
        """Yield the states of another run."""
        return self.run()

    def nearby(self, random: Random) -> Iterator[tuple[StepStart, State]]:
        """Yield the neighbours that ``symmetry.steps.response`` describes.

        With each comes what the perturbation adds to arrays of the result.
        """
        for changes, shift in perturbations(self.state, self.lr, random):
            yield replace(self, **changes), shift

    def runs_from_other_starts(self) -> Iterator[Iterator[dict[str, Array]]]:
        """Yield a run of other sizes, and one of the same sizes with other numbers.

        Code may keep what it should not under the shape of an array. The other sizes are nearly
        always the same ones: some steps are compiled for each shape.
        """
        sizes = (*self.x.shape, self.hidden, self.y.shape[1])
        for n, i, h, c in ((3, 2, 5, 4) if sizes != (3, 2, 5, 4) else (4, 3, 2, 5), sizes):
            random = Random(self.seed, _OTHERS)
            y = np.eye(c, dtype=self.w1.dtype)[random.integers(c, (n,))]
            x, w1, w2 = (
                random.uniform(shape, -1, 1).astype(self.w1.dtype)
                for shape in ((n, i), (i + 1, h), (h + 1, c))
            )
            other = replace(self, x=x, y=y, w1=w1, w2=w2, iterations=min(self.iterations, 2))
            yield other.run()
