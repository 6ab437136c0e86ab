"""A training runs at every size that it accepts.

Code that works at the size of its author may raise at another one: ``squeeze()`` drops the axis of
a batch of one, ``view(8, -1)`` has the batch size written in, a kernel is wider than the image. A
run at one size cannot show it.

    def training(batch=st.integers(1, 16)):
        ...
            loss = F.mse_loss(model(x).squeeze()[:, None], y)    # raises at batch=1

Cure: name the axis, ``squeeze(1)``. If the training cannot have a size, refuse it where the model
is made, with ``ValueError`` or ``assert``: refused sizes are counted and are no violation.
"""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.invariants.catalogue import catalogue
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.targets.sizes.outcome import SizeOutcome


def sizes(trials: Sequence[SizeOutcome]) -> Measurement:
    """Judge the first steps of all examples; those that raise are violations if others run."""
    raised = [trial for trial in trials if trial.outcome == "raised"]
    if not any(trial.outcome == "ran" for trial in trials):
        return Measurement(counted=False, note="no drawn size runs")
    if not raised:
        return Measurement(counted=True)
    return Measurement.violated(violation(raised[0]))


def violation(trial: SizeOutcome) -> Violation:
    """Return the violation that a size raises."""
    is_error = ": " in trial.message or trial.message.isidentifier()
    text = f"raises {trial.message}" if is_error else trial.message
    return Violation(text, 0, "", file=trial.file, line=trial.line)


SIZES = TrainingInvariant(
    name="training/sizes",
    statement="a training that runs with some drawn arguments runs with all that it accepts",
    reason="sizes that a training cannot have are refused as it is made",
    witness="a training that runs",
    cause="a number in the code is right for one size only",
    cure="Compute the number from the shapes, or refuse the size.",
    targets="PyTorch trainings whose arguments are drawn",
    failure="raises at some sizes",
    measure=sizes,
    dtypes=("float32",),
    runs=1,
)


def invariants() -> tuple[TrainingInvariant, ...]:
    """Return the catalogue of a family of trainings."""
    return SIZES, *catalogue()
