"""Steps that are meant to be this network's formulas: first-step, gradient and collapsed.

Entries of the new weights are compared with a step in float64 and its bound. An entry that is not
finite is a violation exactly where the bound is a number, which it is not where a sound step might
overflow.
"""

from dataclasses import replace

import numpy as np

from symmetry.law.measurement import Measurement, Violation
from symmetry.network.bound import Bounded, step_bounds
from symmetry.steps.start import StepStart
from symmetry.units import compare
from symmetry.units.compare import Floats
from symmetry.units.state import State, finite, identical


def first_step(start: StepStart) -> Measurement:
    """Compare w1 with zero, and hidden rows of w2 with half its bias row, after one step from zero.

    With zero weights every hidden unit is 1/2 for every sample, so that its gradient is half the
    bias's; and nothing flows back to w1 through a w2 of zeros.

    Witness: w2 moved.
    """
    found = start.step()
    w1, w2 = _collapsed_bounds(start)
    bias = found["w2"][0].astype(np.float64)
    w1 = w1._replace(value=np.zeros_like(w1.value), error=np.zeros_like(w1.error))
    # The bias row is the measure, so that it fits whatever it is.
    allowed = np.stack([np.full_like(bias, np.nan), w2.error[1] + w2.error[0] / 2])
    w2 = w2._replace(value=np.stack([bias, bias / 2]), error=allowed)
    words = "from zero weights it stays", "half the bias row is"
    counted = bool((np.isfinite(found["w2"]) & (found["w2"] != 0)).any())
    return replace(_judge(found, (w1, w2), words, 1), counted=counted)


def gradient(start: StepStart) -> Measurement:
    """Compare one step from these weights with the formulas.

    Witness: an entry whose update is larger than its bound.
    """
    found = start.step()
    bounds = step_bounds(start.x, start.y, start.w1, start.w2, start.lr)
    return _judge(found, bounds, ("by the formulas it is",) * 2, 1)


def collapsed(start: StepStart) -> Measurement:
    """Compare each step of a run from zero weights with the step of the collapsed network.

    A step begins with unit 0 of the last one, repeated. The run ends with the step that splits the
    units (that it did is for the exact invariants to say), or with a number that is not finite.

    Witness: an entry whose update is larger than its bound.
    """
    here, units, run = start, start.hidden_units, start.begin()
    worst, words = Measurement(counted=False), ("by the collapsed network it is",) * 2
    for iteration in range(1, start.iterations + 1):
        found = here.step(run)
        worst = _worse(worst, _judge(found, _collapsed_bounds(here), words, iteration))
        equal = units.rearranged(found, np.zeros(units.count, np.int_))
        if worst.violation or not identical(found, equal) or not finite(found):
            break
        here = here.at(equal)
    return worst


def _collapsed_bounds(start: StepStart) -> tuple[Bounded, Bounded]:
    """Return the step of the collapsed network from unit 0: w1 (i + 1, 1) and w2 (2, c)."""
    w1, w2 = start.w1[:, :1], start.w2[:2]
    return step_bounds(start.x, start.y, w1, w2, start.lr, copies=start.hidden)


def _judge(
    found: State, bounds: tuple[Bounded, Bounded], words: tuple[str, str], iteration: int
) -> Measurement:
    """Return the measurement of the entry that comes nearest to its bound, or goes farthest beyond.

    A single unit stands for all. An error of 0 is exact, of NaN anything. The words lead from what
    was found to what it should be: "w2[1, 3] is 0.2; *half the bias row is* 0.3". The step has the
    witness if leaving out some update would have shown.
    """
    w1, w2 = bounds
    rows = np.minimum(np.arange(len(found["w2"])), len(w2.value) - 1)
    worst = _worse(
        _judge_array(iteration, "w2", found["w2"], w2.value[rows], w2.error[rows], words[1]),
        _judge_array(iteration, "w1", found["w1"], w1.value, w1.error, words[0]),
    )
    return replace(worst, counted=any(bool((m.update > m.error).any()) for m in bounds))


def _judge_array(
    iteration: int, array: str, found: Floats, expected: Floats, error: Floats, words: str
) -> Measurement:
    expected, error = (np.broadcast_to(a, found.shape) for a in (expected, error))
    with np.errstate(all="ignore"):
        rounded = expected.astype(found.dtype)
        deviation = abs(found - expected)
        deviation[~np.isfinite(deviation)] = np.inf
        margins = np.where(deviation == 0, 0.0, deviation / error)
    margins[np.isnan(error)] = 0.0
    entry = compare.largest_entry(margins)
    margin = float(margins[entry])
    ulps = compare.max_ulps(found[entry], rounded[entry]) if margin else 0
    if margin <= 1:
        return Measurement(False, ulps, None, margin)
    allowed = f" ± {error[entry]:.2g}" if error[entry] else ""
    text = f"after step {iteration} {{at}} is {{a!s}}; {words} {{b!s}}{allowed}"
    facts = {"allowed": float(error[entry])}
    violation = Violation.between(found, rounded, text, iteration, array, entry=entry, **facts)
    return Measurement(False, ulps, violation, margin)


def _worse(one: Measurement, other: Measurement) -> Measurement:
    """Return the measurement with the larger margin; either may have the witness."""
    worse = other if (other.margin or 0.0) >= (one.margin or 0.0) else one
    return replace(worse, counted=one.counted or other.counted)
