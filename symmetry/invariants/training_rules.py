"""What holds of every training, units or not: resuming, rates of zero, moving, pins, gradients."""

import math
from collections.abc import Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any

import numpy as np

from symmetry.base import ranks
from symmetry.base.errors import TrainingError
from symmetry.base.random import Random
from symmetry.invariants.law import first_difference
from symmetry.invariants.measurement import Measurement, Violation
from symmetry.trainings.run import Differentiating, Saving, Updating
from symmetry.trainings.start import TrainingStart, difference, has_moved, largest
from symmetry.units import compare
from symmetry.units.state import Array, State
from symmetry.units.units import Units

_NO_RATE = {"LBFGS": "takes steps whatever its rate", "Rprop": "keeps a rate for each entry"}
_AGAIN = 0.01  # of its first move: what is projected for a second time moves by less
_DRAWS = 3  # of the response of a gradient
_DIRECTIONS = 120  # stream of the seed


def resume(setting: TrainingStart) -> Measurement:
    """Save after a step, load into a fresh training, go on, and compare the bits.

    A sequential training first goes to the same place, from a start nearby. Its graph may reach
    over that place, as a generator's does over the update of its critic: one where loading works
    is enough.
    """
    run = setting.begin(noise=True)
    if not isinstance(run, Saving):
        return Measurement(counted=False, note="its runs cannot be saved", applies=False)
    states: list[State] = []
    saves: list[Any] = []
    for _ in range(setting.steps):
        updates = run.updates
        run.step()
        done = run.updates > updates and not run.pending
        done = done or not (isinstance(run, Updating) and run.optimizers)
        if done and run.taken < setting.steps and (setting.training.sequential or not saves):
            saves.append(run.save())
        states.append(run.state() if saves else {})
    violation: Violation | None = None
    for saved in saves:
        found = _after_loading(setting, saved, states)
        if found is None:
            return Measurement(has_moved(states[saved.taken - 1], states[-1:]))
        violation = violation or found
    if violation is None:
        note = f"in {setting.steps} steps no gradient was used up by an optimiser before the last"
        return Measurement(counted=False, note=note)
    if not violation.array:
        return Measurement.violated(violation)
    why = (
        "some of its state is in no state_dict(), and a saved run does not go on the same"
        if _after_loading(setting, saves[0], states, gradients=True)
        else "the gradients of earlier steps are added up: zero_grad() is missing or comes too late"
    )
    return Measurement.violated(replace(violation, message=f"{violation.message}: {why}"))


def _after_loading(
    setting: TrainingStart, saved: Any, states: Sequence[State], *, gradients: bool = False
) -> Violation | None:
    """Go on from what was saved; return the first array that is not as it was in these states."""
    sequential = setting.training.sequential
    again = setting.begin(setting.nearby(0) if sequential else None, noise=True)
    assert isinstance(again, Saving)  # as the one that was saved is
    which = f"a run saved after step {saved.taken} and loaded again"
    try:
        for _ in range(saved.taken if sequential else 0):
            again.step()
        again.restore(saved, gradients=gradients)
        further = again.states(setting.steps - saved.taken)
        return first_difference(states[saved.taken :], further, which, begin=saved.taken + 1)
    except TrainingError as error:
        return Violation(f"it cannot go on: {error}", saved.taken, "")


def zero_rate(setting: TrainingStart) -> Measurement:
    """Set all learning rates to zero just before each update; nothing that is held moves.

    Noise that the step adds to parameters is left out. Other numbers may be noise that PyTorch has
    not drawn, if they differ from step to step: then nothing is judged.
    """
    finding = _at_zero_rate(setting)
    if finding.violation is None:
        return finding
    unread = setting.begin(noise=True).unread(setting.steps)
    noise = [u for u in unread if u.drawn or (u.varies and u.array.ndim)]
    if not noise:
        return finding
    without = _at_zero_rate(setting.levelling({u.number: () for u in noise}))
    if without.violation is not None:
        return finding
    if others := [u for u in noise if not u.drawn]:
        return Measurement(counted=False, note=f"cannot judge: {others[0]} moves parameters")
    setting.noise[noise[0].place] = None
    return without


def _at_zero_rate(setting: TrainingStart) -> Measurement:
    """Compare the parameters before and after each step at rates of zero.

    What moves in the first step, and then no more or to zero alone, is projected and not updated:
    weights that are clipped, normalised or pruned stay when the same is done once more.
    """
    run = setting.begin(noise=True)
    if not isinstance(run, Updating) or not run.optimizers:
        return Measurement(counted=False, note="it has no optimiser", applies=False)
    for name, optimizer in run.optimizers.items():
        if optimizer.kind in _NO_RATE or None in optimizer.rates().values():
            why = _NO_RATE.get(optimizer.kind, "has no rate called lr")
            return Measurement(
                counted=False, note=f"{name} ({optimizer.kind}) {why}", applies=False
            )
    held, start = run.held, run.parameter_arrays()
    run.before_update, run.after_update = methodcaller("zero_rates"), methodcaller("restore_rates")
    forward: dict[str, Array] = {}
    scale: dict[str, float] = {}

    def see(_: Any) -> None:
        for name, array in run.parameter_arrays().items():
            forward.setdefault(name, array)
            scale[name] = max(scale.get(name, 0.0), largest(array))

    run.on_loss = see
    projected: dict[str, tuple[float, Violation]] = {}  # with how far it moved
    for step in range(1, setting.steps + 1):
        before = run.parameter_arrays()
        forward.clear()
        scale.clear()
        run.step()
        after = run.parameter_arrays()
        for name in (name for name in run.parameters if name in held):
            a, b = before[name], after[name]
            if compare.identical(a, b):
                continue
            # A step that looks ahead for its second loss comes back up to rounding.
            near, gap = 2 * setting.fresh.precision[name] * scale.get(name, 0.0), difference(a, b)
            first, earlier = projected.get(name, (0.0, None))
            if earlier is not None and (gap <= first * _AGAIN or not b[a != b].any()):
                continue
            if gap <= near and (run.backwards > 1 or earlier is not None):
                continue
            if forward and compare.identical(forward[name], b):
                note = f"{name} is changed by the forward itself (a renormalisation?)"
                return Measurement(counted=False, note=note)
            text = (
                f"in step {step} {{at}} moves although all learning rates are zero: "
                "something beside the optimisers changes it"
            )
            violation = Violation.between(a, b, text, step, name)
            if step > 1:
                return Measurement.violated(earlier or violation)
            projected[name] = gap, violation
    if projected:
        note = f"{next(iter(projected))} moves in step 1 alone, or to zero: clipped or pruned?"
        return Measurement(counted=False, note=note)
    true = setting.begin(noise=True)
    for _ in range(setting.steps):
        true.step()
    return Measurement(has_moved({name: start[name] for name in held}, [true.parameter_arrays()]))


def moves(setting: TrainingStart) -> Measurement:
    """Look for a parameter that has a real gradient, and stays."""
    run = setting.begin(noise=True)
    if not isinstance(run, Updating) or not run.optimizers:
        return Measurement(counted=False, note="it has no optimiser", applies=False)
    held, start = run.held, run.parameter_arrays()
    trainable = [name for name in run.parameters if name in run.trainable]
    gradients, rates, lost = _gradients_of(run, setting.steps)
    end = run.parameter_arrays()
    still = [n for n in trainable if compare.identical(start[n], end[n])]
    if still == trainable and held.isdisjoint(trainable):
        message = "nothing that the optimisers hold is a parameter of the model that can be trained"
        return Measurement.violated(Violation(message, 1, next(iter(start))))
    if not run.updates:
        return Measurement(False, note=f"no optimiser stepped within {setting.steps} steps")
    if lost:
        message = (
            "backward leaves gradients, and no update finds any: is zero_grad() called between "
            "backward() and step()?"
        )
        return Measurement.violated(Violation(message, 1, next(n for n in start if n in held)))
    suspects = [name for name in still if name in gradients and largest(gradients[name]) > 0]
    response = dict.fromkeys(suspects, 0.0)
    for draw in range(_DRAWS if suspects else 0):
        near = setting.begin(setting.nearby(draw), noise=True)
        other, *_ = _gradients_of(near, setting.steps)
        for name in suspects:
            gap = difference(gradients[name], other.get(name, np.zeros(())))
            response[name] = max(response[name], gap if gap == gap else np.inf)
    for name in suspects:
        size, eps = largest(gradients[name]), setting.fresh.precision[name]
        if size <= max(response[name], eps * 1e-3):
            continue
        if name not in held:
            why = "no optimiser holds it"
        elif rates[name] and rates[name] * size > eps * largest(start[name]):
            why = f"its learning rate is {rates[name]:.3g}"
        else:
            continue
        message = (
            f"{name} has a gradient of up to {size:.3g} and does not move in {setting.steps} "
            f"steps: {why}"
        )
        return Measurement.violated(Violation(message, setting.steps, name))
    return Measurement(counted=True)


def _gradients_of(run: Any, steps: int) -> tuple[dict[str, Array], dict[str, float], bool]:
    """Take steps; return the first gradient of each parameter that an update could have used.

    That of one that is held is there when its own optimiser steps: others may leave gradients that
    are cleared before. With them comes the largest rate of each, and whether backwards outside of
    updates left gradients in what is held, and none was there at any update.
    """
    found: dict[str, Array] = {}
    rates: dict[str, float] = {}
    updating = left = used = False
    held = run.held

    def see() -> None:
        nonlocal left, used
        left = left or any(g.any() for name, g in run.gradients().items() if name in held)
        used = used or updating

    def end(_: Any) -> None:
        nonlocal updating
        updating = False

    def look(optimizer: Any) -> None:
        nonlocal updating
        updating, own = True, optimizer.rates()
        for name, rate in own.items():
            rates[name] = max(rates.get(name, 0.0), 1.0 if rate is None else rate)
        for name, gradient in run.gradients().items():
            if name not in found and (name in own or name not in held) and gradient.any():
                found[name] = gradient

    run.before_update, run.after_update, run.after_backward = look, end, see
    for _ in range(steps):
        run.step()
    return found, rates, left and not used and found.keys().isdisjoint(held)


def pins(setting: TrainingStart) -> Measurement:
    """Compare the numbers of units with those that the training pins."""
    expected = setting.training.expect_units
    if not expected:
        return Measurement(counted=False, note="it pins no numbers of units", applies=False)
    for name, number in expected.items():
        found = _pinned(setting.units, name)
        if not any(units.count == number for units in found):
            counts = ", ".join(f"{units.count} in {units.name}" for units in found)
            known = ", ".join(units.name for units in setting.units) or "no units at all"
            counts = counts or f"none of that name, but {known}"
            message = f"{name} is to have {number} equal units, found {counts}"
            return Measurement.violated(Violation(message, 0, "", group=name))
    return Measurement(counted=True)


def _pinned(groups: Sequence[Units], name: str) -> list[Units]:
    """Return the groups of a module: ``fc1`` is not ``fc10``, unless nothing else begins so."""
    name = name.removeprefix("layer ")  # so that 0 pins what is called "layer 0 units"
    named = [(units, units.name.removeprefix("layer ")) for units in groups]
    found = [u for u, own in named if own == name or own.startswith((f"{name} ", f"{name}."))]
    return found or [units for units, own in named if own.startswith(name)]


def gradient(setting: TrainingStart) -> Measurement:
    """Compare what the first backward left with differences of the loss, for each parameter."""
    if ranks.world() > 1:
        note = "the gradients of several ranks are averaged, and their losses are not"
        return Measurement(False, applies=False, note=note)
    base = setting.begin(noise=False)
    if not isinstance(base, Differentiating):
        return Measurement(counted=False, note="its runs keep no gradients", applies=False)
    gradients: dict[str, Array] = {}
    base.after_backward = lambda: None if gradients else gradients.update(base.gradients())
    base.step()
    if not gradients:
        return Measurement(counted=False, note="its step calls no backward()", applies=False)
    counted, worst, random = False, 0.0, Random(setting.seed, _DIRECTIONS)
    for name, array in gradients.items():
        direction = np.where(random.integers(2, array.shape) == 1, 1.0, -1.0)
        h = 1e-5 * max(largest(setting.start[name]), 1e-3)
        losses = {}
        for distance in (h, -h, h / 2, -h / 2):
            moved = {name: setting.start[name] + distance * direction}
            run = setting.begin(moved, noise=False)
            run.rehearse(1, 0)
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
