"""Hidden units that start alike stay alike: w1-columns, w2-rows and clones.

The units of a group are compared with the group's first one after every step. A violation names
the first unit outside the largest part into which its group has split, and the first unit of that
part: the one that left, and one that it left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from symmetry.invariants import two_layer
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.memo import remembered
from symmetry.invariants.problem import Floats, Problem
from symmetry.invariants.steps import Trainer, Weights, from_zero, start_of, train
from symmetry.units import compare
from symmetry.units.compare import Group
from symmetry.units.words import groups_in_words, in_ulps

_FOLLOWED = (0, 1, 2, 4, 8, 16, 32)  # how many iterations after the split its growth is noted
_FOLLOWED_WORK = 10**8  # n * i * h * iterations, beyond which nothing is followed


def w1_columns(trainer: Trainer, problem: Problem) -> Finding:
    """Compare the columns of w1 along a run from zero weights."""
    return _zero_run(trainer, problem)["w1"]


def w2_rows(trainer: Trainer, problem: Problem) -> Finding:
    """Compare the hidden rows of w2 along a run from zero weights."""
    return _zero_run(trainer, problem)["w2"]


def clones(trainer: Trainer, problem: Problem) -> Finding:
    """Compare the units that start alike along a run from the problem's own weights.

    Witness: two units alike and one different at the start, and one of the units alike moved.
    """
    groups = alike_at(start_of(problem))
    if len(groups) == problem.hidden:
        return Finding(counted=False)
    w1, w2 = _watch(trainer, problem, groups).values()
    first, second = sorted((w1, w2), key=_iteration)
    return Finding(
        counted=len(groups) > 1 and (w1.counted or w2.counted),
        max_ulps=max(w1.max_ulps, w2.max_ulps) if first.violation is None else first.max_ulps,
        violation=first.violation or second.violation,
    )


def growth(trainer: Trainer, problem: Problem, violation: Violation) -> Violation:
    """Add how far apart the units of a group are 0, 1, 2, 4, 8, 16 and 32 iterations later.

    The distance is the largest relative one to the first unit of the group, in the violation's
    matrix. A large problem is followed for fewer iterations, a diverging one until it overflows.
    """
    first = first_of_group(alike_at(start_of(problem)), problem.hidden)
    affordable = _FOLLOWED_WORK // (problem.x.size * problem.hidden)
    last = max(violation.iteration, min(violation.iteration + _FOLLOWED[-1], affordable))
    noted = []
    longer = replace(problem, iterations=last)
    for iteration, weights in enumerate(train(trainer, longer), start=1):
        if iteration - violation.iteration in _FOLLOWED:
            units = two_layer.units_of(violation.matrix, getattr(weights, violation.matrix))
            noted.append((iteration, compare.max_relative(units, units[first])))
    return replace(violation, growth=tuple(noted))


def alike_at(weights: Weights) -> tuple[Group, ...]:
    """Return the groups of hidden units that have equal columns of w1 and equal rows of w2."""
    return compare.group_rows(np.concatenate([weights.w1, weights.w2[1:].T]).T)


def first_of_group(groups: tuple[Group, ...], hidden: int) -> NDArray[np.int_]:
    """Return for each unit the first one of its group, shape (h,)."""
    first = np.arange(hidden)
    for group in groups:
        first[list(group)] = group[0]
    return first


@remembered
def _zero_run(trainer: Trainer, problem: Problem) -> dict[str, Finding]:
    """Watch both matrices along one run from zero weights."""
    return _watch(trainer, from_zero(problem), (tuple(range(problem.hidden)),))


def _watch(trainer: Trainer, problem: Problem, groups: tuple[Group, ...]) -> dict[str, Finding]:
    """Compare units within groups, for each matrix until it splits.

    ``counted`` says that there was something to compare and that it moved to finite numbers.
    """
    watches = {
        matrix: _Watch(matrix, two_layer.units_of(matrix, weights), groups)
        for matrix, weights in start_of(problem).matrices()
    }
    if any(len(group) > 1 for group in groups):
        for iteration, weights in enumerate(train(trainer, problem), start=1):
            for matrix, values in weights.matrices():
                watches[matrix].see(iteration, two_layer.units_of(matrix, values))
            if all(watch.violation for watch in watches.values()):
                break
    return {matrix: watch.finding() for matrix, watch in watches.items()}


@dataclass
class _Watch:
    """One matrix along a run: whether the units of a group moved, and when they first differed."""

    matrix: str
    start: Floats
    groups: tuple[Group, ...]
    moved: bool = False
    max_ulps: int = 0
    violation: Violation | None = None

    def see(self, iteration: int, units: Floats) -> None:
        if self.violation:
            return
        first = first_of_group(self.groups, len(units))
        if not compare.identical(units, units[first]):
            self.max_ulps = compare.max_ulps(units, units[first])
            self.violation = _violation(self.matrix, iteration, units, self.groups)
        shared = [unit for group in self.groups if len(group) > 1 for unit in group]
        now, then = units[shared], self.start[shared]
        self.moved = self.moved or bool((np.isfinite(now) & (now != then)).any())

    def finding(self) -> Finding:
        return Finding(self.moved, self.max_ulps, self.violation)


def _violation(matrix: str, iteration: int, units: Floats, groups: tuple[Group, ...]) -> Violation:
    """Describe the first group that is no longer alike."""
    parts = next(parts for group in groups if len(parts := _parts(units, group)) > 1)
    largest = max(parts, key=len)  # of equals, the one with the first unit
    left = min(unit for part in parts if part is not largest for unit in part)
    stayed = largest[0]
    distances = compare.ulp_distances(units[left], units[stayed])
    position = int(distances.argmax())
    here, there = (two_layer.entry_of(matrix, unit, position) for unit in (left, stayed))
    ulps = int(distances[position])
    return Violation(
        message=f"after step {iteration} hidden unit {left} is no longer equal to unit {stayed}: "
        f"{matrix}{list(here)} and {matrix}{list(there)} are {in_ulps(ulps)} apart",
        iteration=iteration,
        matrix=matrix,
        units=(left, stayed),
        entry=here,
        ulps=ulps,
        relative=float(compare.relative_distances(units[left], units[stayed])[position]),
        groups=groups_in_words(parts),
    )


def _parts(units: Floats, group: Group) -> tuple[Group, ...]:
    """Return the groups into which a group has split."""
    return tuple(
        tuple(group[member] for member in part) for part in compare.group_rows(units[list(group)])
    )


def _iteration(finding: Finding) -> float:
    return finding.violation.iteration if finding.violation else np.inf
