"""What any sound run does: dead inputs stay dead, runs repeat themselves, arguments stay whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.data.random import Random
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.problem import Floats, Problem
from symmetry.invariants.steps import Trainer, Weights, start_of, train
from symmetry.units import compare
from symmetry.units.words import in_ulps

_STREAM = 101  # of the problem's seed, for the cases that run in between


def without_dead_rows(problem: Problem) -> Problem:
    """Return the same problem with zeros in the rows of w1 that belong to dead inputs."""
    w1 = problem.w1.copy()
    w1[1:][_dead(problem)] = 0
    return replace(problem, w1=w1)


def dead_inputs(trainer: Trainer, problem: Problem) -> Finding:
    """Compare the rows of w1 that belong to dead inputs with zero, along a run.

    The rows start at zero, the other weights as the problem has them. The first iteration with a
    number that is not finite is not judged.

    Witness: a dead and a live input; a live row moved.
    """
    problem, dead = without_dead_rows(problem), _dead(problem)
    if not dead.any():
        return Finding(counted=False)
    moved = False
    for iteration, weights in enumerate(train(trainer, problem), start=1):
        if not weights.finite():
            break
        rows = weights.w1[1:]
        if rows[dead].any():
            return _revived(iteration, np.where(dead[:, None], rows, 0))
        moved = moved or bool((rows != problem.w1[1:]).any())
    return Finding(counted=moved)


def repeatable(trainer: Trainer, problem: Problem) -> Finding:
    """Compare a run with a second one, and with a third after other cases ran in between.

    Other cases are one of other sizes, and one of the same sizes with other numbers: code may keep
    what it should not under the shape of an array. The first iteration with a number that is not
    finite is compared, too.

    Witness: something moved.
    """
    first = list(train(trainer, problem))
    violation = _difference(first, train(trainer, problem), "a second run")
    if violation is None:
        for other in _others(problem):
            deque(train(trainer, other), maxlen=0)
        violation = _difference(first, train(trainer, problem), "a run after other cases")
    ulps = violation.ulps if violation else None
    return Finding(_moved(problem, first), ulps or 0, violation)


def pure(trainer: Trainer, problem: Problem) -> Finding:
    """Compare the x and y that each step of a run was handed with what it left of them.

    Here every bit counts: a zero that changes its sign has been written to. (That the weights keep
    their shapes and dtypes is seen to by the run itself.)

    Witness: something moved.
    """
    run, weights = trainer.start(), start_of(problem)
    seen: list[Weights] = []
    for iteration in range(1, problem.iterations + 1):
        result = run(problem.x, problem.y, weights.w1, weights.w2, problem.lr)
        for name, kept, left in (("x", problem.x, result.x), ("y", problem.y, result.y)):
            if not _untouched(kept, left):
                return _written(iteration, name, kept, left)
        weights = Weights(result.w1, result.w2)
        seen.append(weights)
        if not weights.finite():
            break
    return Finding(counted=_moved(problem, seen))


def _dead(problem: Problem) -> NDArray[np.bool_]:
    """Return which inputs are zero in every sample, shape (i,)."""
    return np.asarray(~problem.x.any(axis=0))


def _moved(problem: Problem, run: list[Weights]) -> bool:
    """Return whether a weight became another finite number."""
    return any(
        bool((np.isfinite(now) & (now != then)).any())
        for weights in run
        for now, then in zip(weights, start_of(problem), strict=True)
    )


def _revived(iteration: int, rows: Floats) -> Finding:
    """Describe a row of w1 that should be zero; ``rows`` are without the bias row."""
    distances = compare.ulp_distances(rows, np.zeros_like(rows))
    row, unit = compare.largest_entry(distances)
    value = float(rows[row, unit])
    violation = Violation(
        message=f"after step {iteration} w1[{row + 1}, {unit}] is {value:.9g}, although input "
        f"{row} is zero in every sample and its row of w1 began at zero",
        iteration=iteration,
        matrix="w1",
        entry=(row + 1, unit),
        ulps=int(distances[row, unit]),
        relative=1.0,
    )
    return Finding(counted=True, max_ulps=int(distances.max()), violation=violation)


def _difference(first: list[Weights], other: Iterator[Weights], which: str) -> Violation | None:
    """Return where another run leaves the first one."""
    for iteration, (expected, found) in enumerate(zip(first, other, strict=False), start=1):
        for (matrix, a), (_, b) in zip(expected.matrices(), found.matrices(), strict=True):
            if not compare.identical(a, b):
                distances = compare.ulp_distances(a, b)
                entry = compare.largest_entry(distances)
                ulps = int(distances[entry])
                return Violation(
                    message=f"in step {iteration} {which} gives another {matrix}: "
                    f"{matrix}{list(entry)} is {in_ulps(ulps)} from the first run's",
                    iteration=iteration,
                    matrix=matrix,
                    entry=entry,
                    ulps=ulps,
                    relative=float(compare.relative_distances(a, b)[entry]),
                )
    return None


def _others(problem: Problem) -> Iterator[Problem]:
    """Yield a problem of other sizes, and one of the same sizes with other numbers.

    The other sizes are nearly always the same ones: some trainers compile for each shape.
    """
    sizes = (*problem.x.shape, problem.hidden, problem.y.shape[1])
    yield _random_problem(problem, (3, 2, 5, 4) if sizes != (3, 2, 5, 4) else (4, 3, 2, 5))
    yield _random_problem(problem, sizes)


def _random_problem(problem: Problem, sizes: tuple[int, ...]) -> Problem:
    """Return two steps' worth of a problem of n, i, h and c as given."""
    (n, inputs, hidden, classes), random = sizes, Random(problem.seed, _STREAM)
    dtype: np.dtype[Any] = problem.dtype
    y = np.eye(classes, dtype=dtype)[random.integers(classes, (n,))]
    x, w1, w2 = (
        random.uniform(shape, -1, 1).astype(dtype)
        for shape in ((n, inputs), (inputs + 1, hidden), (hidden + 1, classes))
    )
    return Problem(x, y, w1, w2, problem.lr, min(problem.iterations, 2), problem.seed)


def _untouched(kept: Floats, left: Floats) -> bool:
    same_kind = kept.shape == left.shape and kept.dtype == left.dtype
    return same_kind and kept.tobytes() == left.tobytes()


def _written(iteration: int, name: str, kept: Floats, left: Floats) -> Finding:
    """Describe the entry of x or y that a step has changed most."""
    if kept.shape != left.shape or kept.dtype != left.dtype:
        message = f"step {iteration} turns {name} into another shape or dtype"
        return Finding(counted=True, violation=Violation(message, iteration, name))
    integer = f"u{kept.dtype.itemsize}"
    changed = np.ascontiguousarray(kept).view(integer) != left.view(integer)
    distances = compare.ulp_distances(kept, left)
    entry = compare.largest_entry(
        np.where(changed, np.maximum(distances, 1), 0)
    )  # 1: a zero's sign
    ulps = int(distances[entry])
    violation = Violation(
        message=f"step {iteration} writes to {name}: {name}{list(entry)} was "
        f"{float(kept[entry]):.9g} and is {float(left[entry]):.9g}",
        iteration=iteration,
        matrix=name,
        entry=entry,
        ulps=ulps,
        relative=float(compare.relative_distances(kept, left)[entry]),
    )
    return Finding(counted=True, max_ulps=ulps, violation=violation)
