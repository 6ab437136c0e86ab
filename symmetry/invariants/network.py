"""Steps that are meant to be this network's formulas: first-step, gradient and collapsed.

Entries of the new weights are compared with a step in float64 and its bound. An entry that is not
finite is a violation exactly where the bound is a number, which it is not where a sound step might
overflow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from symmetry.invariants.bound import Bounded, Doubles, step_bounds
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.two_layer import TwoLayer
from symmetry.targets.trainer import Trainer
from symmetry.units import compare
from symmetry.units.compare import Floats
from symmetry.units.state import State, finite, identical

Pair = tuple[Floats, Floats]


class _Comparison(NamedTuple):
    """A matrix of weights, what it should be, and the error allowed: 0 is exact, NaN anything.

    The words lead from one to the other: "w2[1, 3] is 0.2; *half the bias row is* 0.3".
    """

    words: str
    array: str
    found: Floats
    expected: Floats
    error: Floats


def first_step(trainer: Trainer, setting: TwoLayer) -> Finding:
    """Compare w1 with zero, and hidden rows of w2 with half its bias row, after one step from zero.

    With zero weights every hidden unit is 1/2 for every sample, so that its gradient is half the
    bias's; and nothing flows back to w1 through a w2 of zeros.

    Witness: w2 moved.
    """
    setting = setting.from_zero()
    found = setting.begin(trainer)(setting)
    w1, w2 = _collapsed_bounds(setting)
    bias = found["w2"][0].astype(np.float64)
    # The bias row is the measure, so that it fits whatever it is.
    expected = np.zeros_like(w1.value), np.stack([bias, bias / 2])
    allowed = np.stack([np.full_like(bias, np.nan), w2.error[1] + w2.error[0] / 2])
    error = np.zeros_like(w1.error), allowed
    words = "from zero weights it stays", "half the bias row is"
    counted = bool((np.isfinite(found["w2"]) & (found["w2"] != 0)).any())
    return _judge(_comparisons(words, found, expected, error), 1, counted)


def gradient(trainer: Trainer, setting: TwoLayer) -> Finding:
    """Compare one step from the setting's weights with the formulas.

    Witness: an entry whose update is larger than its bound.
    """
    found = setting.begin(trainer)(setting)
    bounds = step_bounds(setting.x, setting.y, setting.w1, setting.w2, setting.lr)
    return _judge_step("by the formulas it is", found, bounds, 1)


def collapsed(trainer: Trainer, setting: TwoLayer) -> Finding:
    """Compare each step of a run from zero weights with the step of the collapsed network.

    A step begins with unit 0 of the last one, repeated. The run ends with the step that splits the
    units (that it did is for the exact invariants to say), or with a number that is not finite.

    Witness: an entry whose update is larger than its bound.
    """
    here = setting.from_zero()
    units, step = here.hidden_units, here.begin(trainer)
    finding = Finding(counted=False)
    for iteration in range(1, setting.iterations + 1):
        found = step(here)
        bounds = _collapsed_bounds(here)
        finding = _worse(
            finding, _judge_step("by the collapsed network it is", found, bounds, iteration)
        )
        equal = units.rearranged(found, np.zeros(units.count, np.int_))
        if finding.violation or not identical(found, equal) or not finite(found):
            break
        here = here.at(equal)
    return finding


def _collapsed_bounds(setting: TwoLayer) -> tuple[Bounded, Bounded]:
    """Return the step of the collapsed network from unit 0: w1 (i + 1, 1) and w2 (2, c)."""
    w1, w2 = setting.w1[:, :1], setting.w2[:2]
    return step_bounds(setting.x, setting.y, w1, w2, setting.lr, copies=setting.hidden)


def _judge_step(
    words: str, found: State, bounds: tuple[Bounded, Bounded], iteration: int
) -> Finding:
    """Judge a whole step; it has the witness if leaving out some update would have shown."""
    w1, w2 = bounds
    comparisons = _comparisons((words, words), found, (w1.value, w2.value), (w1.error, w2.error))
    counted = any(bool((matrix.update > matrix.error).any()) for matrix in bounds)
    return _judge(comparisons, iteration, counted)


def _comparisons(
    words: tuple[str, str], found: State, value: Pair, error: Pair
) -> tuple[_Comparison, ...]:
    """Pair matrices with what they should be; a single unit is repeated to match all."""
    hidden = found["w1"].shape[1]
    if value[0].shape[1] != hidden:
        value, error = _repeat(value, hidden), _repeat(error, hidden)
    return tuple(map(_Comparison, words, found, found.values(), value, error))


def _repeat(unit: Pair, hidden: int) -> Pair:
    """Return w1 and w2 of a network whose hidden units are all the single one."""
    w1, w2 = unit
    return np.repeat(w1, hidden, axis=1), w2[np.minimum(np.arange(hidden + 1), 1)]


def _judge(comparisons: tuple[_Comparison, ...], iteration: int, counted: bool) -> Finding:
    """Return the finding of the entry that comes nearest to its bound, or goes farthest beyond."""
    margins = [_margins(comparison) for comparison in comparisons]
    worst = max((0, 1), key=lambda index: margins[index].max())
    entry = compare.largest_entry(margins[worst])
    margin = float(margins[worst][entry])
    words, array, found, expected, error = comparisons[worst]
    with np.errstate(all="ignore"):
        rounded = expected.astype(found.dtype)
    ulps = int(compare.ulp_distances(found, rounded)[entry]) if margin else 0
    if margin <= 1:
        return Finding(counted, ulps, None, margin)
    allowed = f" ± {error[entry]:.2g}" if error[entry] else ""
    message = (
        f"after step {iteration} {array}{list(entry)} is {found[entry]!s}; {words} "
        f"{rounded[entry]!s}{allowed}"
    )
    allowance = float(error[entry])
    violation = Violation.between(
        found, rounded, entry, message, iteration, array, allowed=allowance
    )
    return Finding(counted, ulps, violation, margin)


def _margins(comparison: _Comparison) -> Doubles:
    """Return deviations by the allowed ones, 0 where anything is allowed."""
    _, _, found, expected, error = comparison
    with np.errstate(all="ignore"):
        deviation = abs(found - expected)
        deviation[~np.isfinite(deviation)] = np.inf
        margins = np.where(deviation == 0, 0.0, deviation / error)
    return np.where(np.isnan(error), 0.0, margins)


def _worse(one: Finding, other: Finding) -> Finding:
    """Return the finding with the larger margin; either may have the witness."""
    worse = other if (other.margin or 0.0) >= (one.margin or 0.0) else one
    counted = one.counted or other.counted
    return Finding(counted, worse.max_ulps, worse.violation, worse.margin)
