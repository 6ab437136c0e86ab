"""From a case to its arrays: what the names of ``data`` and ``weights`` stand for.

Samples, labels and weights come from separate streams of one seed, so that a case with other
sizes keeps what it can. Everything is drawn in float64 and rounded to the case's dtype last.

============================  ==================================================================
data                          inputs and labels
============================  ==================================================================
zeros                         all inputs are zero
constant                      all inputs are one and the same pixel value, so all samples are equal
unit                          uniform in [0, 1); some inputs are zero in every sample
normals                       roughly normal, both signs, no zeros
pixels                        0 to 255, four in five are zero; some are zero in every sample
duplicates                    at most three different samples, repeated
one-class                     pixels; all samples have the same label
missing-classes               pixels; only about half of the classes occur
============================  ==================================================================

============================  ==================================================================
weights                       start
============================  ==================================================================
zero                          all zero
scaled                        normal; pre-activations and logits are of order 1 for this data
small, tiny                   a tenth and a thousandth of that
wide                          ten times that: the hidden units saturate
steep                         scaled, but logits in the hundreds, beyond the range of exp
cloned                        scaled; the hidden units form a few groups of identical ones
cloned-small, cloned-wide     the same, a tenth and ten times as large
============================  ==================================================================

In a cloned start the last unit belongs to a group of two or more, and from three units on there
are at least two groups.

A failing case is made smaller, greedily. Hypothesis cannot do this: the arrays follow from a seed,
so every change of a size redraws them all, and a rounding fault that was there by chance is gone by
chance. So each size is tried with several seeds, and what counts is how often the invariant may be
run, never the time it takes.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from symmetry.base.memory import bytes_to_train, refuse_beyond_memory
from symmetry.base.randomness.random import Random
from symmetry.checker.draws import sizes_below
from symmetry.law.case import DATA, WEIGHTS, Case
from symmetry.network.formulas import one_hot_encode
from symmetry.steps.start import StepStart

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

# Small, but with several of everything: a step that raises here works nowhere.
COMMON = Case(8, 3, 4, 3, 0.1, 1, "float32", "unit", "scaled", 0)

_SAMPLE_STREAM, _LABEL_STREAM, _WEIGHT_STREAM = range(3)  # the streams of one seed
_LIVE = 16  # arrays of one entry a sample and unit that observing a run keeps at once
_CACHED = 256  # a list of 100 cases fits; its largest matrices have under a million entries

_FACTORS = {  # of w1 and w2, by which pre-activations and logits of order 1 are multiplied
    "scaled": (1.0, 1.0),
    "small": (0.1, 0.1),
    "tiny": (0.001, 0.001),
    "wide": (10.0, 10.0),
    "steep": (1.0, 1000.0),
}


class Labelled(Protocol):
    """A data set with labels: inputs of shape (n, i), labels of shape (n,)."""

    train_x: NDArray[Any]
    train_labels: NDArray[Any]
    classes: int

    @property
    def inputs(self) -> int:
        """The number i of inputs."""
        ...


def make_start(case: Case) -> StepStart:
    """Return the arrays of a case, all of its dtype and none of them writable."""
    x, labels = _data(case.data, case.n, case.i, case.c, case.seed)
    w1, w2 = _weights(case.weights, case.data, case.n, case.i, case.h, case.c, case.seed)
    y = one_hot_encode(labels, case.c, case.dtype)
    x, y, w1, w2 = (np.array(array, dtype=case.dtype, order="C") for array in (x, y, w1, w2))
    for array in (x, y, w1, w2):
        array.flags.writeable = False
    return StepStart(x, y, w1, w2, lr=case.lr, iterations=case.iterations, seed=case.seed)


def start_of_case(case: Case) -> StepStart:
    """Return the arrays of a case, if a run of it can be observed within memory."""
    _refuse((case.n, case.i, case.h, case.c), case.dtype)
    return make_start(case)


def start_of_dataset(dataset: Labelled, samples: int | None, case: Case) -> StepStart:
    """Return what a case says, but zero weights and the first samples of a data set, or all."""
    x, dtype = dataset.train_x[:samples], case.dtype
    _refuse((len(x), dataset.inputs, case.h, dataset.classes), dtype)
    y = one_hot_encode(dataset.train_labels[:samples], dataset.classes, dtype)
    w1 = np.zeros((dataset.inputs + 1, case.h), dtype)
    w2 = np.zeros((case.h + 1, dataset.classes), dtype)
    return StepStart(x.astype(dtype), y, w1, w2, case.lr, case.iterations, 0)


def _refuse(sizes: tuple[int, int, int, int], dtype: str) -> None:
    """Refuse what memory cannot hold, before it is tried."""
    refuse_beyond_memory(bytes_to_train(sizes, dtype, inputs=4, layers=_LIVE, weights=0))


@lru_cache(_CACHED)
def _data(recipe: str, n: int, i: int, c: int, seed: int) -> tuple[Doubles, Integers]:
    """Return inputs (n, i) and labels (n,)."""
    x = _SAMPLES_OF.get(recipe, _pixels)(Random(seed, _SAMPLE_STREAM), n, i)
    random = Random(seed, _LABEL_STREAM)
    labels = _LABELS_OF[recipe](random, n, c) if recipe in _LABELS_OF else random.integers(c, (n,))
    x.flags.writeable = labels.flags.writeable = False
    return x, labels


def _pixels(random: Random, n: int, i: int) -> Doubles:
    lit = random.uniform((n, i)) < 0.19  # as many as in MNIST
    values = np.where(lit, 1 + random.integers(255, (n, i)), 0).astype(np.float64)
    return values * _live(random, i)


def _live(random: Random, i: int) -> NDArray[np.bool_]:
    """Return which inputs are ever lit: seven in eight, and of two or more never all."""
    live = random.uniform((i,)) >= 0.125
    if i > 1:
        live[random.integer(i)] = False
    return live


def _half_the_classes(random: Random, n: int, c: int) -> Integers:
    present = random.permutation(c)[: (c + 1) // 2]
    return present[random.integers(len(present), (n,))]


_SAMPLES_OF: dict[str, Callable[[Random, int, int], Doubles]] = {
    "zeros": lambda _, n, i: np.zeros((n, i)),
    "constant": lambda random, n, i: np.full((n, i), 1.0 + random.integer(255)),
    "unit": lambda random, n, i: random.uniform((n, i)) * _live(random, i),
    "normals": lambda random, n, i: random.normals((n, i)),
    "duplicates": lambda random, n, i: random.normals((3, i))[random.integers(3, (n,))],
}
_LABELS_OF: dict[str, Callable[[Random, int, int], Integers]] = {
    "one-class": lambda random, n, c: np.full(n, random.integer(c)),
    "missing-classes": _half_the_classes,
}


@lru_cache(_CACHED)
def _weights(
    recipe: str, data: str, n: int, i: int, h: int, c: int, seed: int
) -> tuple[Doubles, Doubles]:
    """Return w1 (i + 1, h) and w2 (h + 1, c)."""
    if recipe == "zero":
        return np.zeros((i + 1, h)), np.zeros((h + 1, c))
    random = Random(seed, _WEIGHT_STREAM)
    x, _ = _data(data, n, i, c, seed)
    factor1, factor2 = _FACTORS[recipe.removeprefix("cloned").lstrip("-") or "scaled"]
    w1 = random.normals((i + 1, h)) * (factor1 * _to_order_one(x))
    w2 = random.normals((h + 1, c)) * (factor2 * _power_of_two(1 / math.sqrt(1 + h / 3)))
    if recipe.startswith("cloned"):
        original = _originals(random, h)
        w1, w2[1:] = w1[:, original], w2[1:][original]
    return w1, w2


def _to_order_one(x: Doubles) -> float:
    """Return the scale of w1 that makes pre-activations of order 1.

    A power of two, so that no last bit of a sum decides what the weights are.
    """
    squares = math.fsum(np.add.reduce(x * x, axis=0)) / len(x)
    return _power_of_two(1 / math.sqrt(1 + squares))


def _power_of_two(value: float) -> float:
    mantissa, exponent = math.frexp(value)
    return math.ldexp(1.0, exponent - (mantissa < math.sqrt(0.5)))


def _originals(random: Random, h: int) -> Integers:
    """Return for each hidden unit the first unit of its group."""
    if h < 3:
        return np.zeros(h, dtype=np.int64)
    group = random.integers(2 + random.integer(min(3, h - 2)), (h,))
    two_others = random.permutation(h - 1)[:2]
    group[two_others] = 0, 1
    group[-1] = group[random.integer(h - 1)]
    _, first, of_unit = np.unique(group, return_index=True, return_inverse=True)
    return first[of_unit].astype(np.int64)


MAX_RUNS = 400
MAX_WORK = 500_000_000  # of all runs together, in n * i * h * iterations

_SIZES = ("iterations", "n", "i", "h", "c")
_SEEDS = (0, 1, 2)
_RATES = (1.0, 0.1, 0.01)

T = TypeVar("T")


def shrink(
    case: Case, failure: T, fails: Callable[[Case], T | None], max_runs: int = MAX_RUNS
) -> tuple[Case, T]:
    """Return the smallest failing case found, and how it fails.

    ``fails`` runs the invariant on a case, at most ``max_runs`` times: it returns what is wrong, as
    it returned ``failure`` for this case, or None.
    """
    tried, work = {case}, 0

    def accept(name: str) -> bool:
        """Run cases with less of one value until one fails, and keep that; say if one did."""
        nonlocal case, failure, work
        for changes in _simpler(case, name):
            candidate = replace(case, **changes)
            if candidate in tried or work + candidate.work > MAX_WORK:
                continue
            if len(tried) > max_runs:
                return False
            tried.add(candidate)
            work += candidate.work
            if (found := fails(candidate)) is not None:
                case, failure = candidate, found
                return True
        return False

    before = None
    while case != before:
        before = case
        for name in _SIZES:
            while accept(name):
                pass
        for name in ("lr", "weights", "data", "seed"):
            accept(name)
    return case, failure


def _simpler(case: Case, name: str) -> Iterator[dict[str, Any]]:
    """Yield changes to a smaller size, or a simpler value of another kind, simplest first."""
    value = getattr(case, name)
    if name in _SIZES:
        for size in sizes_below(value):
            for seed in (case.seed, *_SEEDS):
                yield {name: size, "seed": seed}
        return
    # Zero, cloned and other random starts are different things; none becomes another.
    cloned = [start for start in WEIGHTS if start.startswith("cloned")]
    random = [start for start in WEIGHTS[1:] if start not in cloned]
    starts = cloned if case.weights in cloned else random if case.weights in random else []
    choices = {"lr": _RATES, "weights": starts, "data": DATA, "seed": _SEEDS}[name]
    for choice in choices:
        if choice == value:
            return
        yield {name: choice}
