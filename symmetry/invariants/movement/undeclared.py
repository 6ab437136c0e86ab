"""Updates where no parameter says itself that it is frozen, as in JAX.

A leaf that a mask or a label freezes by mistake looks like one that is frozen on purpose. So these
facts are notes: a parameter stays while others move, or moves by its gradient itself. It is a
violation if nothing can move: if all gradients are zero, the step multiplies all updates by 0, or
it hands on the moments of gradients and the parameters as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from symmetry.invariants.movement.gradients import current
from symmetry.invariants.movement.notes import CUT, matter
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.model import Differentiating, Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import RunSettings, needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, largest

RAW = NoteKind(
    "training/raw",
    meaning="A parameter moves by its gradient itself, which makes the loss larger: optax.masked "
    "hands on the gradients of all that it masks. To freeze it, use optax.partition with "
    "optax.set_to_zero.",
)
STILL = NoteKind(
    "training/still",
    meaning="A parameter has a gradient and stays as it is, while others move: a mask or a label "
    "of the optimiser freezes it. Check that this is meant. Or none moves: the step returns all as "
    "it takes them, or updates are too small for numbers of 16 bits: keep those in float32.",
)
KINDS = (RAW, STILL)

_REAL = 1e-3  # of the largest gradient: one of rounding is smaller
_COARSE = 1e-4  # the eps of numbers of 16 bits is larger
_SAME = 1e-3  # of a gradient: rounding hides the rest of a large parameter


class _Movements(NamedTuple):
    """The gradients of a step, and the changes of the parameters."""

    gradients: Mapping[str, Array]
    changes: Mapping[str, Array]
    loss: float | None

    def stays(self, name: str) -> bool:
        """Return whether a parameter does not move."""
        return not self.changes[name].any()

    def reaches(self, name: str) -> bool:
        """Return whether a gradient reaches a parameter."""
        return bool(self.gradients[name].any())

    def is_raw(self, name: str) -> bool:
        """Return whether a parameter moves by its gradient itself."""
        gap = self.changes[name] - self.gradients[name]
        return largest(gap) <= _SAME * largest(self.gradients[name])


def moves_undeclared(start: TrainingStart) -> Measurement:
    """Note the first parameter that stays, and the first that moves by its gradient itself."""
    steps = _steps(start)
    if all(step.stays(name) for step in steps for name in step.changes) and (
        found := _nothing_moves(start, steps)
    ):
        return found
    real = [name for name in steps[0].gradients if _is_real(name, steps)]
    still = [name for name in real if all(step.stays(name) for step in steps)]
    raw = [name for name in real if all(step.is_raw(name) for step in steps)]
    idle = frozenset(steps[0].gradients) - {n for s in steps for n in s.gradients if s.reaches(n)}
    notes = [*_still(start, still, real), *_raw(start, raw, real)]
    if idle and real and matter(start, idle):
        notes.append(_cut(start, idle))
    return Measurement(counted=len(still) < len(real), notes=tuple(notes))


def _still(start: TrainingStart, still: list[str], real: list[str]) -> Iterator[Note]:
    """Note that parameters with a gradient stay: some of them, or all."""
    if still and len(still) < len(real):
        text = (
            f"{still[0]} has a gradient and stays as it is, while others move: a mask or a label "
            "of the optimiser freezes it. Is that meant?"
        )
        yield STILL.at(text, _line(start, still[0]))
    if still and needed(start.begin(noise=True), Optimizing).keeps_all:
        text = (
            "its step computes gradients, and returns all parameters as it takes them: nothing is "
            "trained, unless another function updates them. Apply the updates, and return the "
            "results."
        )
        yield STILL.at(text, NOWHERE)
    elif still and len(still) == len(real) and _is_rounded_away(start, still):
        text = (
            f"no parameter moves in {start.steps} steps, though each has a gradient, and in "
            "float64 they do: the updates are too small for numbers of 16 bits, and are rounded "
            "away. Keep the parameters in float32, and cast them in the forward."
        )
        yield STILL.at(text, _line(start, still[0]))


def _raw(start: TrainingStart, raw: list[str], real: list[str]) -> Iterator[Note]:
    """Note that some parameters move by their gradients themselves."""
    if raw and len(raw) < len(real):
        text = (
            f"{raw[0]} moves by its gradient itself, which makes the loss larger: "
            f"{needed(start.begin(noise=True), Optimizing).raw}."
        )
        yield RAW.at(text, _line(start, raw[0]))


def _cut(start: TrainingStart, idle: frozenset[str]) -> Note:
    """Note that the loss depends on parameters whose gradients are zero."""
    cut = needed(start.begin(noise=True), Differentiating).cut_of(idle)
    by = (
        f"{cut.operation} ({cut.place})"
        if cut
        else "a stop_gradient, or an operation without a derivative,"
    )
    text = (
        f"the loss depends on {min(idle)}, but its gradient is zero in each step: {by} cuts it "
        "off. Is that meant?"
    )
    return CUT.at(text, cut.place if cut else NOWHERE)


def _nothing_moves(start: TrainingStart, steps: list[_Movements]) -> Measurement | None:
    """Say why nothing can move; None if gradients and a rate are there."""
    optimizing, names = needed(start.begin(noise=True), Optimizing), frozenset(steps[0].gradients)
    first = min(names, default="")
    if names and optimizing.keeps_all and (place := optimizing.moments_at) is not None:
        text = (
            "its step updates the moments of its optimiser, and returns all parameters as it takes "
            "them: nothing is trained. Apply the updates, and return the results."
        )
        return Measurement.violated(Violation.at(text, place, array=first))
    if names and not any(step.reaches(name) for step in steps for name in step.gradients):
        if not any(step.loss for step in steps):
            return Measurement.cannot_judge("the loss is 0, and there is nothing to learn")
        cut = needed(start.begin(noise=True), Differentiating).cut_of(names)
        text = f"nothing can move: in {len(steps)} steps the gradient of every parameter is zero"
        by = f". {cut.operation} ({cut.place}) cuts it off" if cut else ""
        at = cut.place if cut else NOWHERE
        return Measurement.violated(Violation.at(text + by, at, array=first))
    if (place := optimizing.zero_rate_at) is not None:
        text = (
            "nothing can move: the step multiplies each update by a learning rate of 0. Give the "
            "optimiser a rate above zero."
        )
        return Measurement.violated(Violation.at(text, place, array=first))
    return None


def _steps(start: TrainingStart) -> list[_Movements]:
    run, found, seen = start.begin(noise=True), list[_Movements](), dict[str, Array]()
    with needed(run, StepEvents).listening(after_backward=lambda: seen.update(current(run))):
        for _ in range(start.steps):
            seen.clear()
            before = run.parameter_arrays()
            run.step()
            after = run.parameter_arrays().items()
            changes = {n: np.subtract(a, before[n]) for n, a in after}
            found.append(_Movements(dict(seen), changes, run.loss))
    return found


def _is_rounded_away(start: TrainingStart, names: list[str]) -> bool:
    """Return whether parameters of 16 bits stay that move in float64."""
    if any(start.baseline.precision[name] < _COARSE for name in names):
        return False
    run = start.target.begin(RunSettings(dtype="float64", seed=start.seed))
    before = run.parameter_arrays()
    for _ in range(start.steps):
        run.step()
    after = run.parameter_arrays()
    return all((after[name] != before[name]).any() for name in names)


def _line(start: TrainingStart, name: str) -> SourceLine:
    """Return the line that updates a parameter, if it is known."""
    return needed(start.begin(noise=True), Optimizing).updated_at(name)


def _is_real(name: str, steps: list[_Movements]) -> bool:
    """Return whether the gradient of a parameter is more than rounding in each step."""
    return all(
        largest(step.gradients.get(name, np.zeros(1)))
        > _REAL * max(map(largest, step.gradients.values()))
        for step in steps
    )
