"""``training/gradient``: what backward leaves, against differences of the loss."""

import math

import numpy as np

from symmetry.base import ranks
from symmetry.base.random import Random
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.differentiating import Differentiating
from symmetry.training.capabilities.rehearsing import Rehearsing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, largest

_DIRECTIONS = 120  # stream of the seed


def gradient(start: TrainingStart) -> Measurement:
    """Compare what the first backward left with differences of the loss, for each parameter."""
    if ranks.world() > 1:
        note = "the gradients of several ranks are averaged, and their losses are not"
        return Measurement(False, applies=False, note=note)
    base = start.begin(noise=False)
    differentiating = base.capability(Differentiating)
    if differentiating is None:
        return Measurement(counted=False, note="its runs keep no gradients", applies=False)
    gradients: dict[str, Array] = {}

    def keep_first() -> None:
        if not gradients:
            gradients.update(differentiating.gradients())

    needed(base, StepEvents).after_backward = keep_first
    base.step()
    if not gradients:
        return Measurement(counted=False, note="its step calls no backward()", applies=False)
    counted, worst, random = False, 0.0, Random(start.seed, _DIRECTIONS)
    for name, array in gradients.items():
        direction = np.where(random.integers(2, array.shape) == 1, 1.0, -1.0)
        h = 1e-5 * max(largest(start.state[name]), 1e-3)
        losses = {}
        for distance in (h, -h, h / 2, -h / 2):
            moved = {name: start.state[name] + distance * direction}
            run = start.begin(moved, noise=False)
            needed(run, Rehearsing).rehearse(1, 0)
            losses[distance] = math.nan if run.loss is None else run.loss
        wide, narrow = ((losses[x] - losses[-x]) / (2 * x) for x in (h, h / 2))
        claimed = float((array * direction).sum())
        allowed = 10 * abs(wide - narrow) + 1e-6 * abs(narrow)
        counted = counted or abs(narrow) > allowed
        worst = max(worst, abs(claimed - narrow) / allowed if allowed else 0.0)
        if abs(claimed - narrow) > allowed:
            message = (
                f"backward says that the loss changes by {claimed:.6g} along a direction of "
                f"{name}, differences of the loss say {narrow:.6g}"
            )
            return Measurement.violated(Violation(message, 1, name, allowed=allowed))
    return Measurement(counted, margin=worst)
