"""The list of cases that a check runs: some on purpose, the others drawn by Hypothesis.

Out of 100 cases 72 are drawn, 4 have the sizes of one of these again, 20 are edge cases and 4 are
large. Kernels break at the edges of vectors and blocks and at sizes a random draw seldom visits, so
the edges are visited on purpose; small cases find most other faults, and are cheap.

Hypothesis serves as the source of the draws alone. The list is complete before the first step is
taken, so no step, however erratic, can upset Hypothesis, and all invariants get the same sizes: a
step that compiles for each shape does so once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from hypothesis import strategies as st

from symmetry.base.randomness.random import Random
from symmetry.checker.draws import draw
from symmetry.checker.options import CASES
from symmetry.law.case import Case
from symmetry.units.dtypes import DTYPES

T = TypeVar("T")

_FEW = (*range(2, 13), 1)  # the simplest case has the first of everything
_EDGES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 100, 127, 128, 129)
_HIDDEN = (*_EDGES, 200, 201, 255, 256, 257)
_SAMPLES = (*_EDGES, 200, 255, 256, 257, 500, 511, 512, 513, 1000, 1023, 1024, 1025, 2000, 3000)
_INPUTS = (*_EDGES, 200, 255, 256, 257, 300, 511, 512, 513, 783, 784)
_CLASSES = (10, 2, 3, 10, 4, 5, 7, 10, 8, 9, 16, 17, 10, 33, 3, 2, 5, 10, 6, 1)
_DECADES = (*range(-1, 2), *range(-6, 2), *range(-6, 2), -3, -2, -7, 2, 2)  # -7 and 2 mean the ends
_ITERATIONS = (2, 2, 2, 3, 3, 3, 4, 5, 8, 13, 25, 40)

# Sizes are n * i * h; work is that times the iterations.
_SMALL_SIZE, _SMALL_WORK = 200_000, 600_000
_EDGE_SIZE = (100_000, 3_000_000)  # half of the edge cases lie between, the others below
_LARGE_SIZE = (5_000_000, 50_000_000)

# Repeated as often as they are worth. Every start but the zero one is drawn from _WEIGHTS.
_DATA = (
    *("pixels",) * 7,
    *("unit",) * 4,
    *("normals",) * 4,
    *("duplicates", "missing-classes", "one-class", "constant", "zeros"),
)
_WEIGHTS = (*("scaled",) * 12, "small", "small", "tiny", *("wide",) * 3, *("steep",) * 2)


def draw_cases(
    examples: int = CASES, seed: int = 0, dtypes: Sequence[str] = DTYPES
) -> tuple[Case, ...]:
    """Return ``examples`` cases for each of the dtypes; the same arguments give the same list.

    Their weights are random starts; an invariant that needs others replaces them.
    """
    cases = _draw(examples, seed)
    return tuple(replace(case, dtype=dtype) for dtype in dtypes for case in cases)


@lru_cache(16)
def _draw(examples: int, seed: int) -> tuple[Case, ...]:
    edges = examples // 5
    large = repeated = examples // 25
    small = draw(small_cases(), examples - edges - large - repeated, seed, unless=_alike)
    return (
        *small,
        *_repeated(small, repeated),
        *_edge_cases(edges, seed),
        *_large_cases(large, seed),
    )


def _repeated(cases: Sequence[Case], count: int) -> tuple[Case, ...]:
    """Repeat the sizes of some cases with other numbers in them.

    There is code that keeps, under the shape of an array, what it should not.
    """
    telling = [case for case in cases[1:] if case.lr >= 0.01 and case.c > 1 and case.n > 1]
    return tuple(replace(case, seed=case.seed + 100) for case in telling[:count])


@st.composite
def small_cases(draw: st.DrawFn) -> Case:
    """Return a strategy for cases of little work.

    No draw is from more than a hundred values. Beyond that Hypothesis mixes in constants that it
    finds in the modules loaded at the moment, and the list would depend on them.
    """

    def size(edges: Sequence[int], largest: int) -> int:
        few = st.sampled_from([size for size in _FEW if size <= largest])
        return draw(few | st.sampled_from([edge for edge in edges if edge <= largest]))

    h = size(_HIDDEN, _SMALL_SIZE)
    if draw(st.booleans()):
        n = size(_SAMPLES, _SMALL_SIZE // h)
        i = size(_INPUTS, _SMALL_SIZE // (h * n))
    else:
        i = size(_INPUTS, _SMALL_SIZE // h)
        n = size(_SAMPLES, _SMALL_SIZE // (h * i))
    steps = max(2, _SMALL_WORK // (n * i * h))
    return Case(
        n=n,
        i=i,
        h=h,
        c=draw(st.sampled_from(_CLASSES)),
        lr=_learning_rate(draw(st.sampled_from(_DECADES)), draw(st.integers(0, 99))),
        iterations=draw(st.sampled_from([k for k in _ITERATIONS if k <= steps])),
        dtype=DTYPES[0],
        data=draw(st.sampled_from(_DATA)),
        weights=draw(st.sampled_from(_WEIGHTS)),
        seed=draw(st.integers(0, 99)),
    )


def _alike(a: Case, b: Case) -> bool:
    """Hypothesis likes to repeat a case with little changed: a waste of one of so few cases."""
    pairs = ((a.n, b.n), (a.i, b.i), (a.h, b.h), (a.lr, b.lr), (a.seed, b.seed))
    return sum(one == other for one, other in pairs) > 2


def _learning_rate(decade: int, hundredths: int) -> float:
    """Return 10 to the power of ``decade.hundredths``, in three digits, from 1e-6 to 100."""
    exponent = min(max(decade + hundredths / 100, -6), 2)
    return float(f"{10**exponent:.3g}")


def _edge_cases(count: int, seed: int) -> tuple[Case, ...]:
    """Return cases whose hidden sizes run through the edges.

    97 comes several times, with at least 4 samples: there the kernels of JAX were seen to break on
    a CPU with AVX-512.
    """
    random = Random(seed, 1)
    edges = [h for h in _HIDDEN if h > 2]
    order = [edges[k] for k in random.permutation(len(edges))]
    hidden = [97 if k % 7 == 3 else order[k % len(order)] for k in range(count)]
    low, high = _EDGE_SIZE
    return tuple(
        _case_of_size(random, h, *((low, high) if k % 2 else (1, low)), least=4 if h == 97 else 1)
        for k, h in enumerate(hidden)
    )


def _large_cases(count: int, seed: int) -> tuple[Case, ...]:
    random = Random(seed, 2)
    edges = [h for h in _HIDDEN if h >= 64]
    chosen = [_pick(random, edges) for _ in range(count)]
    return tuple(replace(_case_of_size(random, h, *_LARGE_SIZE), iterations=2) for h in chosen)


def _case_of_size(random: Random, h: int, low: int, high: int, least: int = 1) -> Case:
    """Return a case of h units with low <= n * i * h <= high and n >= least."""
    sizes = [(n, i) for n in _SAMPLES for i in _INPUTS if low <= n * i * h <= high and n >= least]
    n, i = _pick(random, sizes)
    return Case(
        n=n,
        i=i,
        h=h,
        c=_pick(random, _CLASSES),
        lr=_learning_rate(_pick(random, _DECADES), random.integer(100)),
        iterations=2 + random.integer(3),
        dtype=DTYPES[0],
        data=_pick(random, _DATA),
        weights=_pick(random, _WEIGHTS),
        seed=random.integer(100),
    )


def _pick(random: Random, values: Sequence[T]) -> T:
    return values[random.integer(len(values))]
