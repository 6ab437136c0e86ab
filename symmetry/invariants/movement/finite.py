"""``training/finite``: no update takes a gradient that is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from symmetry.invariants.movement.gradients import current
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.flowing import Flowing
from symmetry.training.capabilities.optimizing import Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart


def finite(start: TrainingStart) -> Measurement:
    """Look for an update that makes a parameter not finite, by a gradient that is not.

    A gradient scaler leaves such an update out, and a training may do so itself.
    """
    run = start.begin(noise=True)
    optimizing = run.capability(Optimizing)
    if optimizing is None or not optimizing.optimizers:
        return Measurement(counted=False, note="it has no optimiser", applies=False)
    broken: dict[str, int] = {}
    given: set[str] = set()

    def begins(optimizer: Any) -> None:
        gradients = current(run)
        given.clear()
        given.update(n for n in optimizer.rates() if n in gradients and not _finite(gradients[n]))

    def ends(_: Any) -> None:
        arrays = run.parameter_arrays() if given else {}
        for name in given:
            if not _finite(arrays[name]):
                broken.setdefault(name, run.taken + 1)

    events = needed(run, StepEvents)
    events.before_update, events.after_update = begins, ends
    for _ in range(start.steps):
        run.step()
        if broken:
            break
    if not broken:
        return Measurement(counted=events.updates > 0)
    name, step = min(broken.items(), key=lambda item: (item[1], item[0]))
    text = (
        f"in step {step} {name} has a gradient that is not finite, and the update makes it not "
        f"finite for ever{_made_by(start, step)}"
    )
    return Measurement.violated(Violation(text, step, name))


def _finite(array: Any) -> bool:
    return bool(np.isfinite(array).all())


def _made_by(start: TrainingStart, step: int) -> str:
    """Name the operation whose derivative makes the first number that is not finite."""
    run = start.begin(noise=True)
    flowing = run.capability(Flowing)
    if flowing is None:
        return ""
    with flowing.first_not_finite() as found:
        for _ in range(step):
            run.step()
    run.close()
    return f": the derivative of {found[0]} is not finite there" if found else ""
