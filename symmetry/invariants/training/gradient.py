"""``training/gradient``: what backward leaves, against differences of the loss.

Rounding moves the loss, and its quotient by a small distance moves a lot: the bias before a batch
normalisation has no influence on the loss, and differences give it a slope of rounding alone. What
rounding does to the loss shows where all else cancels, in the fourth difference:

    loss(-h) - 4 loss(-h/2) + 6 loss(0) - 4 loss(h/2) + loss(h)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symmetry.base import ranks
from symmetry.base.randomness.random import Random
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.model import Differentiating
from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, largest

_DIRECTIONS = 120  # stream of the seed
_FEW = 10  # times what is measured once, and may be small by chance


@dataclass(frozen=True)
class _Slope:
    """The slope of the loss along a direction of a parameter."""

    claimed: float  # what backward says
    # The derivative by differences, over a distance and over half of it.
    wide: float
    narrow: float
    h: float  # the distance
    rounding: float  # how far rounding alone moves the loss there

    def allowed(self, rounding: float) -> float:
        """Return how much both may differ if rounding moves a loss by this much elsewhere."""
        curved = abs(self.wide - self.narrow) + 2 * max(rounding, self.rounding) / self.h
        return _FEW * curved + 1e-6 * abs(self.narrow)


def gradient(start: TrainingStart) -> Measurement:
    """Compare what the first backward left with differences of the loss, for each parameter."""
    if ranks.world() > 1:
        why = "the gradients of several ranks are averaged, and their losses are not"
        return Measurement.not_applicable(why)
    base = start.begin(noise=False)
    differentiating = base.capability(Differentiating)
    if differentiating is None:  # as of a step that differentiates nothing
        return Measurement.not_applicable(Differentiating.absent)
    gradients: dict[str, Array] = {}

    def keep_first() -> None:
        if not gradients:
            gradients.update(differentiating.gradients())

    with needed(base, StepEvents).listening(after_backward=keep_first):
        base.step()
    if not gradients:
        return Measurement.not_applicable("its step computes no gradient that is seen")
    return _judged(_slopes(start, gradients))


INVARIANT = TrainingInvariant(
    name="training/gradient",
    statement="the gradient that backward left is the loss's derivative (float64)",
    reason="it is the definition of a gradient",
    witness="a derivative above its error",
    cause="a backward is not the derivative of its forward",
    cure="Compare the backward with torch.autograd.gradcheck.",
    targets="PyTorch and JAX trainings",
    needs=(Differentiating, Rehearsing),
    measure=gradient,
    compared="bound",
    dtypes=PROMOTED,
    default=False,
)


def _slopes(start: TrainingStart, gradients: Mapping[str, Array]) -> dict[str, _Slope]:
    """Return the slope along a direction of each parameter."""
    random, here, found = Random(start.seed, _DIRECTIONS), _loss(start, {}), dict[str, _Slope]()
    for name, array in gradients.items():
        direction = np.where(random.integers(2, array.shape) == 1, 1.0, -1.0)
        h = 1e-5 * max(largest(start.state[name]), 1e-3)
        losses = {
            distance: _loss(start, {name: start.state[name] + distance * direction})
            for distance in (h, -h, h / 2, -h / 2)
        }
        wide, narrow = ((losses[x] - losses[-x]) / (2 * x) for x in (h, h / 2))
        fourth = losses[h] + losses[-h] - 4 * (losses[h / 2] + losses[-h / 2]) + 6 * here
        claimed = float((array * direction).sum())
        rounding = max(abs(fourth), np.finfo(np.float64).eps * abs(here))  # none is below an ulp
        found[name] = _Slope(claimed, wide, narrow, h, rounding)
    return found


def _loss(start: TrainingStart, moved: Mapping[str, Array]) -> float:
    """Return the loss of the first step with these arrays in their places."""
    run = start.begin(moved, noise=False)
    needed(run, Rehearsing).rehearse(1, 0)
    return math.nan if run.loss is None else run.loss


def _judged(slopes: Mapping[str, _Slope]) -> Measurement:
    """Return the first parameter whose gradient is wrong, or the largest margin."""
    # By chance the roundings at one parameter cancel; at most of them they do not.
    known = [slope.rounding for slope in slopes.values() if math.isfinite(slope.rounding)]
    rounding = float(np.median(known)) if known else 0.0
    counted, worst = False, 0.0
    for name, slope in slopes.items():
        allowed, gap = slope.allowed(rounding), abs(slope.claimed - slope.narrow)
        counted = counted or abs(slope.narrow) > allowed
        worst = max(worst, gap / allowed if allowed else 0.0)
        if gap > allowed:
            message = (
                f"its gradient says that the loss changes by {slope.claimed:.6g} along a direction "
                f"of {name}, differences of the loss say {slope.narrow:.6g}"
            )
            return Measurement.violated(Violation(message, 1, name, allowed=allowed))
    return Measurement(counted, margin=worst)
