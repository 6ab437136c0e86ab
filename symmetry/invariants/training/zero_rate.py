"""``training/zero-rate``: at learning rates of zero no parameter moves.

Example: ``parameter.data.mul_(0.99)`` beside the optimiser, a decay that no rate controls.

Just before each update all learning rates are set to zero. Whatever moves then is moved by
something else. Let the optimiser do it, or multiply it by the rate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from operator import methodcaller
from typing import Any, NamedTuple

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.model import Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import Array, State, difference, has_moved, largest

_NO_RATE = {"LBFGS": "takes steps whatever its rate", "Rprop": "keeps a rate for each entry"}
_AGAIN = 0.01  # of its first move: what is projected for a second time moves by less


def zero_rate(start: TrainingStart) -> Measurement:
    """Set all learning rates to zero just before each update; nothing that is held moves.

    Noise that the step adds to parameters is left out. Other numbers may be noise that PyTorch has
    not drawn, if they differ from step to step: then nothing is judged.
    """
    found = _at_zero_rate(start)
    if found.violation is None:
        return found
    unread = start.begin(noise=True).constants_outside_forward(start.steps)
    noise = [u for u in unread if u.random or (u.varies and u.array.ndim)]
    if not noise:
        return found
    without = _at_zero_rate(start.averaging({u.number: () for u in noise}))
    if without.violation is not None:
        return found
    if others := [u for u in noise if not u.random]:
        return Measurement.cannot_judge(f"{others[0]} moves parameters")
    return replace(without, noise=(noise[0].place,))


INVARIANT = TrainingInvariant(
    name="training/zero-rate",
    statement="with all learning rates zero no parameter that an optimiser holds moves",
    reason="an update is a multiple of the rate",
    witness="a parameter that moves at the true rates",
    cause="parameters are changed beside the optimiser",
    cure="Change them by the optimiser, or scale the change with its rate.",
    targets="PyTorch and JAX trainings",
    needs=(Optimizing,),
    measure=zero_rate,
    dtypes=WRITTEN,
    copies=5,
)


class _StepAtZeroRate(NamedTuple):
    """The parameters on their way through one step."""

    before: Mapping[str, Array]
    forward: Mapping[str, Array]  # when the first loss is known; empty without any loss
    after: Mapping[str, Array]
    scale: Mapping[str, float]  # the largest entry that a forward saw
    backwards: int


def _at_zero_rate(start: TrainingStart) -> Measurement:
    """Compare the parameters before and after each step at rates of zero.

    What moves in the first step, and then no more or to zero alone, is projected and not updated:
    weights that are clipped, normalised or pruned stay when the same is done once more.
    """
    found = start.with_run(partial(_judged, start), noise=True)
    if isinstance(found, Measurement):
        return found
    # For longer: a rate may begin at zero.
    end = start.with_run(partial(_end, steps=start.steps), noise=True)
    return Measurement(has_moved(found, [end]))


def _judged(start: TrainingStart, run: Run) -> Measurement | State:
    """Judge a run; return what its optimisers hold if none of it moves at the true rates."""
    optimizing = needed(run, Optimizing)
    if not optimizing.optimizers:
        return Measurement.not_applicable(Optimizing.absent)
    if why := _without_rates(optimizing):
        return Measurement.not_applicable(why)
    held = [name for name in run.parameters if name in optimizing.held]
    begun = run.parameter_arrays()
    projected: dict[str, tuple[float, Violation]] = {}  # in step 1, with how far
    for number, step in enumerate(_steps_at_zero_rate(run, start.steps), start=1):
        for name in held:
            a, b = step.before[name], step.after[name]
            first, earlier = projected.get(name, (0.0, None))
            if compare.identical(a, b) or _comes_back(name, step, start, again=earlier is not None):
                continue
            gap = difference(a, b)
            if earlier is not None and (gap <= first * _AGAIN or not b[a != b].any()):
                continue
            if step.forward and compare.identical(step.forward[name], b):
                note = f"{name} is changed by the forward itself (a renormalisation?)"
                return Measurement(counted=False, note=note)
            text = (
                f"in step {number} {{at}} moves although all learning rates are zero: "
                "something beside the optimisers changes it"
            )
            violation = Violation.between(a, b, text, number, name)
            if number > 1:
                return Measurement.violated(earlier or violation)
            projected[name] = gap, violation
    if projected:
        note = f"{next(iter(projected))} moves in step 1 alone, or to zero: clipped or pruned?"
        return Measurement(counted=False, note=note)
    if not start.baseline.moved.isdisjoint(held):
        return Measurement(counted=True)
    return {name: begun[name] for name in held}


def _end(run: Run, steps: int) -> State:
    """Return the parameters after some steps."""
    for _ in range(steps):
        run.step()
    return run.parameter_arrays()


def _without_rates(optimizing: Optimizing) -> str:
    """Say why some rate of a training cannot be set to zero; nothing if all of them can."""
    for name, optimizer in optimizing.optimizers.items():
        if optimizer.kind in _NO_RATE or None in optimizer.rates().values():
            why = _NO_RATE.get(optimizer.kind, "has no rate called lr")
            return f"{name} ({optimizer.kind}) {why}"
    return ""


def _steps_at_zero_rate(run: Run, steps: int) -> Iterator[_StepAtZeroRate]:
    """Take steps in which all rates are zero during each update, and only then."""
    forward: dict[str, Array] = {}
    scale: dict[str, float] = {}

    def see(_: Any) -> None:
        for name, array in run.parameter_arrays().items():
            forward.setdefault(name, array)
            scale[name] = max(scale.get(name, 0.0), largest(array))

    events = needed(run, StepEvents)
    to_zero, back = methodcaller("zero_rates"), methodcaller("restore_rates")
    with events.listening(before_update=to_zero, after_update=back, on_loss=see):
        for _ in range(steps):
            before = run.parameter_arrays()
            forward.clear()
            scale.clear()
            run.step()
            yield _StepAtZeroRate(before, forward, run.parameter_arrays(), scale, events.backwards)


def _comes_back(name: str, step: _StepAtZeroRate, start: TrainingStart, *, again: bool) -> bool:
    """Return whether a parameter moves by rounding only.

    A step that looks ahead for its second loss takes it there and back; a projection that is done
    ``again`` rounds it anew.
    """
    near = 2 * start.baseline.precision[name] * step.scale.get(name, 0.0)
    return (step.backwards > 1 or again) and difference(step.before[name], step.after[name]) <= near
