"""Trainings whose result is pinned to the bit in `golden.json`.

``python -m tests.network.golden`` trains them all and prints what belongs into that file. Its
content changes only when somebody decides that the core's bits change, and raises their version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.experiment.data.dataset import Dataset, load_mnist
from symmetry.network import formulas
from symmetry.network.core import Core
from symmetry.network.descent import CollapsedCore, train

FILE = Path(__file__).with_name("golden.json")
CORES = {"full": Core, "collapsed": CollapsedCore}


@dataclass(frozen=True)
class Made:
    """A problem made of portable random numbers; the training set is the test set too.

    A `share` of the inputs are multiples of 1/64 up to 4 and the rest zero; a share of 1 means
    dense normals of both signs. Weights start at random, so that the first hidden layer is of order
    `scale`: 1 is ordinary, large ones saturate units and make probabilities subnormal or zero.
    """

    n: int
    inputs: int
    classes: int
    share: float
    scale: float = 1.0
    lr: float = 0.5

    def draw(self, hidden: int, dtype: str) -> tuple[Any, Any, Any, Any]:
        """Return x, labels and the weights to start from."""
        random = Random(self.n, self.inputs, self.classes)
        shape = self.n, self.inputs
        x = (random.integers(255, shape) + 1) / 64 * (random.uniform(shape) < self.share)
        if self.share == 1:
            x = random.normals(shape)
        labels = random.integers(self.classes, self.n)
        w1, w2 = (
            random.uniform((rows, columns), -1, 1) * self.scale / np.sqrt(rows)
            for rows, columns in ((self.inputs + 1, hidden), (hidden + 1, self.classes))
        )
        return x.astype(dtype), labels, w1.astype(dtype), w2.astype(dtype)


@cache
def mnist() -> Dataset:
    """Return MNIST, unpacked once."""
    return load_mnist()


@dataclass(frozen=True)
class Mnist:
    """The experiment's own problem: MNIST from zero weights at its learning rate.

    Three iterations are the fewest worth pinning: w1 moves in the second one, so that the third is
    the first one whose gradient sees hidden units other than 1/2.
    """

    lr: float = 0.01


@dataclass(frozen=True)
class Case:
    """One training; `network` is "full" or "collapsed"."""

    problem: Made | Mnist
    hidden: int
    dtype: str
    network: str = "full"
    iterations: int = 3

    @property
    def name(self) -> str:
        """What it is, in words; the key in the table."""
        if isinstance(self.problem, Mnist):
            problem = f"MNIST 784-{self.hidden}-10"
        else:
            n, inputs, classes, share, scale, _ = astuple(self.problem)
            saturated = ", saturated" if scale > 1 else ""
            problem = f"{n} x {inputs}-{self.hidden}-{classes}, {share:.0%} nonzero{saturated}"
        return f"{problem}, {self.dtype}, {self.network}, {self.iterations} iterations"

    @property
    def is_mnist(self) -> bool:
        """Whether it trains on real data, which takes seconds rather than milliseconds."""
        return isinstance(self.problem, Mnist)

    def start(self) -> tuple[Any, ...]:
        """Return training set, test set (each x and labels) and the start weights."""
        if isinstance(self.problem, Made):
            x, labels, *weights = self.problem.draw(self.hidden, self.dtype)
            sets = (x, labels), (x, labels)
        else:
            data = mnist()
            sets = (data.train_x, data.train_labels), (data.test_x, data.test_labels)
            weights = [
                np.zeros((data.inputs + 1, self.hidden), self.dtype),
                np.zeros((self.hidden + 1, data.classes), self.dtype),
            ]
        if self.network == "collapsed":
            weights = [np.ascontiguousarray(w) for w in formulas.collapse(*weights)]
        return *sets, tuple(weights)

    def run(self, threads: int | None = None) -> dict[str, Any]:
        """Train and return what the table holds.

        The SHA-256 of each weight array and of the last predictions (C order, little endian), and
        the loss after every iteration in hexadecimal.
        """
        train_set, test_set, weights = self.start()
        sizes = {
            "classes": weights[1].shape[-1],
            "hidden": self.hidden,
            "dtype": self.dtype,
            "threads": threads,
        }
        cores = [CORES[self.network](*each, **sizes) for each in (train_set, test_set)]
        history = list(train(*cores, weights, self.problem.lr, self.iterations))
        names = ("w1", "w2") if self.network == "full" else ("u", "b", "v")
        return {
            **dict(zip(names, map(digest, history[-1].weights), strict=True)),
            "predictions": digest(history[-1].predictions),
            "losses": " ".join(point.loss.hex() for point in history),
        }


def digest(array: Any) -> str:
    """Return the SHA-256 of an array's little-endian bytes in C order."""
    return sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<"))).hexdigest()


def made_cases(dtype: str) -> list[Case]:
    """Return the small cases: an awkward size for everything that the core cuts or pads."""
    tile = 104 if dtype == "float32" else 52
    line = 16 if dtype == "float32" else 8
    extreme = 60 if dtype == "float32" else 500
    full = (
        (Made(1, 1, 2, 1), 1),
        (Made(37, 5, 3, 1), 7),
        (Made(300, 130, 10, 0.1), 33),  # more than a block, sparse
        (Made(700, 3, 3, 1), 2),  # several chunks
        (Made(4200, 4, 3, 0.5), 3),  # chunks longer than a block
        (Made(66, 20, 4, 1), 2 * tile + 1),  # more than two tiles of units, two sub-blocks
        (Made(50, 784, 10, 0.2), 17),  # several parts of the inputs
        (Made(300, 230, 3, 1), 4 * line - 3),  # dense: parts, and more lines than registers hold
        (Made(40, 6, 18 * line + 1, 0.7), 5),  # many classes
        (Made(90, 7, 4, 1, extreme), 9),
    )
    collapsed = (
        (Made(1, 1, 2, 1), 2),
        (Made(37, 5, 3, 1), 200),
        (Made(300, 130, 10, 0.1), 201),
        (Made(4200, 4, 3, 0.5), 97),
    )
    return [
        *(Case(problem, hidden, dtype) for problem, hidden in full),
        *(Case(problem, hidden, dtype, "collapsed") for problem, hidden in collapsed),
    ]


MADE = (*made_cases("float32"), *made_cases("float64"))
MNIST = (
    Case(Mnist(), 200, "float32"),
    Case(Mnist(), 97, "float32"),
    Case(Mnist(), 201, "float64"),
    Case(Mnist(), 200, "float32", "collapsed", 10),
    Case(Mnist(), 200, "float64", "collapsed", 10),
)
COLLAPSED = Case(Mnist(), 200, "float32", "collapsed", 100)
EXPERIMENT = Case(Mnist(), 200, "float32", "full", 100)  # what `symmetry run` trains
ALL = (*MADE, *MNIST, COLLAPSED, EXPERIMENT)


def pinned() -> dict[str, dict[str, Any]]:
    """Return the table: what each case must come to."""
    table: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return table


def computed(cases: Iterable[Case]) -> str:
    """Return the table's text as this machine computes it."""
    return json.dumps({case.name: case.run() for case in cases}, indent=2) + "\n"


if __name__ == "__main__":
    print(computed(ALL), end="")
