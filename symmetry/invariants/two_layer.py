"""The setting of a two-layer step: its arrays, its units, and how a trainer is run on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symmetry.data.random import Random
from symmetry.invariants.perturbations import perturbations
from symmetry.targets.trainer import Trainer
from symmetry.units.compare import Floats
from symmetry.units.state import Array, State, finite
from symmetry.units.units import Part, Units

_AFFORDABLE = 10**8  # n * i * h * iterations, beyond which the growth of a split is not followed
_STREAM = 101  # of the seed, for the settings that run in between


def hidden_units(h: int) -> Units:
    """Return the hidden units: columns of w1, and rows of w2 below the bias."""
    return Units("hidden units", h, (Part("w1", axis=1), Part("w2", axis=0, first=1)))


@dataclass(frozen=True, eq=False)
class TwoLayer:
    """One start of a two-layer step. Nobody writes into its arrays: a run hands out copies.

    Attributes
    ----------
    x
        Inputs without the column of ones, shape (n, i).
    y
        One-hot labels, shape (n, c).
    w1, w2
        Weights at the start, shapes (i + 1, h) and (h + 1, c); row 0 belongs to the bias.
        Invariants that speak of a run from zero weights do not look at them.
    lr
        Learning rate.
    iterations
        Number of steps of a run.
    seed
        Feeds the random choices of an invariant (a rearrangement, perturbations).
    """

    x: Floats
    y: Floats
    w1: Floats
    w2: Floats
    lr: float
    iterations: int
    seed: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The one dtype of all four arrays."""
        return self.w1.dtype

    @property
    def hidden(self) -> int:
        """The number h of hidden units."""
        return int(self.w1.shape[1])

    @property
    def start(self) -> dict[str, Array]:
        """The four arrays by name."""
        return {"x": self.x, "y": self.y, "w1": self.w1, "w2": self.w2}

    @property
    def hidden_units(self) -> Units:
        """The hidden units: columns of w1, and rows of w2 below the bias."""
        return hidden_units(self.hidden)

    @property
    def samples(self) -> Units:
        """The samples: rows of x and y."""
        return Units("samples", len(self.x), (Part("x", axis=0), Part("y", axis=0)))

    @property
    def inputs(self) -> Units:
        """The inputs: columns of x, and rows of w1 below the bias."""
        parts = (Part("x", axis=1), Part("w1", axis=0, first=1))
        return Units("inputs", self.x.shape[1], parts)

    @property
    def classes(self) -> Units:
        """The classes: columns of y and w2."""
        return Units("classes", self.y.shape[1], (Part("y", axis=1), Part("w2", axis=1)))

    @property
    def affordable(self) -> int:
        """The steps that growth may be followed for on a setting of this size."""
        return _AFFORDABLE // (self.x.size * self.hidden)

    @property
    def limit(self) -> float:
        """How many times its response a step may deviate by rounding alone.

        Roundings add up as a random walk over the longest sum does, or a little worse.
        """
        return max(16.0, 4 * math.sqrt(max(*self.x.shape, self.hidden)))

    def at(self, start: State) -> TwoLayer:
        """Return the same setting with some of the four arrays replaced."""
        arrays: dict[str, Any] = dict(start)
        return replace(self, **arrays)

    def from_zero(self) -> TwoLayer:
        """Return the same setting with all weights zero at the start."""
        return replace(self, w1=np.zeros_like(self.w1), w2=np.zeros_like(self.w2))

    def begin(self, trainer: Trainer) -> Callable[[TwoLayer], dict[str, Array]]:
        """Begin a run; return the function that takes its next step, from the weights it is given.

        What the trainer raises passes through.
        """
        run = trainer.start()

        def step(here: TwoLayer) -> dict[str, Array]:
            result = run(here.x, here.y, here.w1, here.w2, here.lr)
            return {"w1": result.w1, "w2": result.w2}

        return step

    def run(self, target: Trainer, steps: int | None = None) -> Iterator[dict[str, Array]]:
        """Yield w1 and w2 after each step of a fresh run.

        The first iteration with a number that is not finite is the last one.
        """
        step, here = self.begin(target), self
        for _ in range(self.iterations if steps is None else steps):
            weights = step(here)
            yield weights
            if not finite(weights):
                return
            here = here.at(weights)

    def nearby(self, random: Random) -> Iterator[tuple[TwoLayer, State]]:
        """Yield the neighbours that ``symmetry.invariants.perturbations`` describes.

        With each comes what the perturbation adds to arrays of the result.
        """
        for changes, shift in perturbations(self.x, self.y, self.w1, self.w2, self.lr, random):
            yield replace(self, **changes), shift

    def others(self) -> Iterator[TwoLayer]:
        """Yield a setting of other sizes, and one of the same sizes with other numbers.

        Code may keep what it should not under the shape of an array. The other sizes are nearly
        always the same ones: some trainers compile for each shape.
        """
        sizes = (*self.x.shape, self.hidden, self.y.shape[1])
        yield self._random((3, 2, 5, 4) if sizes != (3, 2, 5, 4) else (4, 3, 2, 5))
        yield self._random(sizes)

    def _random(self, sizes: tuple[int, ...]) -> TwoLayer:
        """Return two steps' worth of a setting of n, i, h and c as given."""
        (n, inputs, hidden, classes), random = sizes, Random(self.seed, _STREAM)
        y = np.eye(classes, dtype=self.dtype)[random.integers(classes, (n,))]
        x, w1, w2 = (
            random.uniform(shape, -1, 1).astype(self.dtype)
            for shape in ((n, inputs), (inputs + 1, hidden), (hidden + 1, classes))
        )
        return TwoLayer(x, y, w1, w2, self.lr, min(self.iterations, 2), self.seed)
