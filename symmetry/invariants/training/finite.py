"""``training/finite``: losses are finite, and no update takes a gradient that is not.

Example: ``(p * log(p)).sum()`` is nan once a probability p is 0, and ``norm(x)`` has no derivative
at x = 0. One such number makes all parameters nan for ever. Keep the argument away from there, as
``log(p.clamp(min=1e-8))`` does, or leave out the update. The verdict names the operation that
makes the first such number.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.movement.gradients import current
from symmetry.invariants.movement.not_finite import FirstNotFinite, source_of
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.flowing import Flowing
from symmetry.training.capabilities.model import Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.observers import Observation, observer
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart


def finite(start: TrainingStart) -> Measurement:
    """Look for a loss that is not finite, or an update that makes a parameter so.

    A gradient scaler leaves an update out whose gradients are not finite, and a training may do so
    itself.
    """
    found = start.observed(_judged)
    return found if isinstance(found, Measurement) else _violated(start, *found)


@observer
def _judged(run: Run, steps: int) -> Observation[Measurement | tuple[str, int, str]]:
    """Judge a run; return what is wrong in which step, and the parameter, for a closer look."""
    held = bool(needed(run, Optimizing).optimizers)
    events, updates = needed(run, StepEvents), _Updates(run)
    for step in range(1, steps + 1):
        with events.listening(before_update=updates.begins, after_update=updates.ends):
            yield
        if run.loss is not None and not math.isfinite(run.loss):
            text = f"the loss of step {step} is {run.loss}"
            return text, step, updates.spoilt
        if updates.spoilt:
            text = (
                f"in step {step} {updates.spoilt} has a gradient that is not finite, and the "
                "update makes it not finite for ever"
            )
            return text, step, updates.spoilt
    note = "" if held else Optimizing.absent
    return Measurement(counted=held and events.updates > 0, note=note, applies=held)


INVARIANT = TrainingInvariant(
    name="training/finite",
    of_device=True,
    statement="losses are finite, and no update takes a gradient that is not",
    reason="a number that is not finite stays so: a scaler leaves such an update out",
    witness="an optimiser step within K",
    cause="a division by zero, a logarithm of zero, or an overflow",
    cure="Guard the operation at this line.",
    targets="PyTorch and JAX trainings",
    needs=(Optimizing,),
    cheap=True,
    measure=finite,
    dtypes=WRITTEN,
    explains_loss=True,
    runs=1,
)


class _Updates:
    """Looks at the updates of a run."""

    def __init__(self, run: Run) -> None:
        # A parameter that an update by a gradient that is not finite has made not finite, or
        # nothing.
        self.spoilt = ""
        self._run = run
        self._given: set[str] = set()

    def begins(self, optimizer: Any) -> None:
        """See which gradients are not finite."""
        gradients, held = current(self._run), optimizer.rates()
        self._given = {n for n in held if n in gradients and not _finite(gradients[n])}

    def ends(self, _: Any) -> None:
        """See which parameters these have made not finite."""
        arrays = self._run.parameter_arrays() if self._given and not self.spoilt else {}
        spoilt = (n for n in self._given & arrays.keys() if not _finite(arrays[n]))
        self.spoilt = min(spoilt, default=self.spoilt)


def _finite(array: Any) -> bool:
    return bool(np.isfinite(array).all())


def _violated(start: TrainingStart, text: str, step: int, parameter: str) -> Measurement:
    """Return the violation of a step, with the operation that makes the first such number."""
    run = start.begin(noise=True)
    for _ in range(step - 1):
        run.step()
    flowing = run.capability(Flowing)
    with nullcontext([]) if flowing is None else flowing.first_not_finite() as derived:
        source = source_of(run, parameter)
    run.close()
    if source is None:
        return Measurement.violated(Violation(text, step, parameter))
    text = f"{text}: {_reason(source, derived)}"
    return Measurement.violated(Violation.at(text, source.place, step, parameter))


def _reason(source: FirstNotFinite, derived: list[str]) -> str:
    if not source.name:
        return f"the data already contain {source.value} before the step"
    if source.place.phase == "backward":
        return f"the derivative of {(derived or [source.name])[0]} is not finite there"
    return f"{source.name} returns {source.value}" + f", since {source.cause}" * bool(source.cause)
