"""``training/frozen``: an update leaves what requires no gradient as it is.

Example: a layer is frozen after some steps, and ``zero_grad(set_to_none=False)`` leaves gradients
of zeros: momentum and weight decay go on. Leave the layer out of the optimiser, or clear its
gradients with ``zero_grad()``.
"""

from __future__ import annotations

from typing import Any

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.movement.gradients import current
from symmetry.law.measurement import Measurement, Violation
from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.model import Freezing, Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.observers import Observation, observer
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import Array


def frozen(start: TrainingStart) -> Measurement:
    """Compare frozen parameters before and after each update of the optimiser that holds them.

    One with a gradient that is not zero was given it by hand: evolution strategies do so.
    """
    return start.observed(_frozen)


@observer
def _frozen(run: Run, steps: int) -> Observation[Measurement]:
    optimizing, freezing = needed(run, Optimizing), run.capability(Freezing)
    if not optimizing.optimizers or freezing is None:
        return Measurement.not_applicable(Optimizing.absent)
    before: dict[str, Array] = {}
    moved: dict[str, tuple[int, Array, Array, SourceLine]] = {}
    counted = False

    def begins(optimizer: Any) -> None:
        nonlocal counted
        before.clear()
        held = [name for name in optimizer.rates() if name not in freezing.trainable]
        if not held:
            return
        gradients, arrays = current(run), run.parameter_arrays()
        for name in held:
            if name not in gradients or not gradients[name].any():
                before[name] = arrays[name]
        counted = counted or bool(before)

    def ends(optimizer: Any) -> None:
        arrays = run.parameter_arrays() if before else {}
        for name, array in before.items():
            if not compare.identical(array, arrays[name]):
                made = optimizer.creation.place
                moved.setdefault(name, (run.taken + 1, array, arrays[name], made))
        before.clear()

    with needed(run, StepEvents).listening(before_update=begins, after_update=ends):
        for _ in range(steps):
            yield
    if not moved:
        note = "" if counted else "no optimiser holds a frozen parameter"
        return Measurement(counted, note=note, applies=counted)
    name, (step, a, b, made) = next(iter(moved.items()))
    file, line = made.reference
    text = (
        f"in step {step} the optimiser moves {{at}} although requires_grad is False: weight decay "
        "or momentum goes on, with the gradient of zeros that is left. Leave it out of the "
        "optimiser, or set its .grad to None."
    )
    found = Violation.between(a, b, text, step, name, file=file, line=line)
    return Measurement.violated(found)


INVARIANT = TrainingInvariant(
    name="training/frozen",
    statement="an update leaves what requires no gradient as it is",
    reason="frozen parameters are left out of the optimiser, or have no gradient",
    witness="a frozen parameter that an optimiser holds",
    cause="weight decay, an average or a copy writes into frozen parameters",
    cure="Give the optimiser only parameters that require a gradient.",
    targets="PyTorch trainings",
    needs=(Optimizing, Freezing),
    measure=frozen,
    dtypes=WRITTEN,
    runs=1,
)
