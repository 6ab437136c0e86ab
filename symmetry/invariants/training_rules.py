"""What holds of every training, units or not: resuming, rates of zero, moving, pins, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry import ranks
from symmetry.data.random import Random
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.law import first_difference
from symmetry.invariants.training import TrainingSetting, difference, states_of
from symmetry.targets.training import TrainingError, held_by
from symmetry.units import compare
from symmetry.units.units import Units

_NO_RATE = {"LBFGS": "takes steps whatever its rate", "Rprop": "keeps a rate for each entry"}
_DRAWS = 3  # of the response of a gradient
_DIRECTIONS = 120  # stream of the seed

Arrays = Mapping[str, NDArray[Any]]


def resume(setting: TrainingSetting) -> Finding:
    """Save after a step, load into a fresh training, go on, and compare the bits."""
    run = setting.training.start(seed=setting.seed)
    states: list[dict[str, NDArray[Any]]] = []
    saved: Any = None
    gradients: Arrays = {}
    for _ in range(setting.steps):
        updates = run.updates
        run.step()
        done = run.updates > updates and not run.pending
        if saved is None and (done or not run.objects.optimizers):
            saved, gradients = run.save(), run.gradients()
            states = []
        states.append(run.state())
    if saved is None or len(states) < 2:
        note = f"in {setting.steps} steps no gradient was used up by an optimiser before the last"
        return Finding(counted=False, note=note)

    def difference_from(gradients: Arrays) -> Violation | None:
        """Go on from what was saved and these gradients; return the first other array."""
        again = setting.training.start(seed=setting.seed)
        again.restore(saved)
        again.load_gradients(gradients)
        which = f"a run saved after step {saved.taken} and loaded again"
        further = states_of(again, len(states) - 1)
        return first_difference(states[1:], further, which, begin=saved.taken + 1)

    try:
        violation = difference_from({})
    except TrainingError as error:
        return Finding(True, violation=Violation(f"it cannot go on: {error}", saved.taken, ""))
    if violation is None:
        return Finding(any(not compare.identical(a, states[-1][n]) for n, a in states[0].items()))
    why = (
        "some of its state is in no state_dict(), and a saved run does not go on the same"
        if difference_from(gradients)
        else "the gradients of earlier steps are added up: zero_grad() is missing or comes too late"
    )
    violation = replace(violation, message=f"{violation.message}: {why}")
    return Finding(True, violation.ulps or 0, violation)


def zero_rate(setting: TrainingSetting) -> Finding:
    """Set all learning rates to zero just before each update; nothing that is held moves."""
    run = setting.training.start(seed=setting.seed)
    optimizers = run.objects.optimizers
    if not optimizers:
        return Finding(counted=False, note="it has no optimiser", applies=False)
    for name, optimizer in optimizers.items():
        kind = type(optimizer).__name__
        if kind in _NO_RATE or any("lr" not in group for group in optimizer.param_groups):
            why = _NO_RATE.get(kind, "has no rate called lr")
            return Finding(counted=False, note=f"{name} ({kind}) {why}", applies=False)
    true = setting.training.start(seed=setting.seed)
    held = _held(run)
    start = {name: array for name, array in run.parameter_arrays().items() if name in held}
    rates: list[Any] = []

    def zero(optimizer: Any) -> None:
        rates[:] = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * 0

    def restore(optimizer: Any) -> None:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    run.before_update, run.after_update = zero, restore
    forward: dict[str, NDArray[Any]] = {}
    largest: dict[str, float] = {}

    def see(_: Any) -> None:
        arrays = run.parameter_arrays()
        forward.update({n: a for n, a in arrays.items() if n not in forward})
        for name in held:
            entry = float(abs(arrays[name]).max(initial=0.0))
            largest[name] = max(largest.get(name, 0.0), entry)

    run.on_loss = see
    for step in range(1, setting.steps + 1):
        before = run.parameter_arrays()
        forward.clear()
        largest.clear()
        run.step()
        after = run.parameter_arrays()
        for name in held:
            if compare.identical(before[name], after[name]):
                continue
            # A step that looks ahead for its second loss comes back up to rounding.
            near = 2 * setting.precision[name] * largest.get(name, 0.0)
            if run.backwards > 1 and difference(before[name], after[name]) <= near:
                continue
            if forward and compare.identical(forward[name], after[name]):
                note = f"{name} is changed by the forward itself (a renormalisation?)"
                return Finding(counted=False, note=note)
            a, b = before[name], after[name]
            entry = compare.largest_entry(compare.ulp_distances(a, b))
            text = (
                f"in step {step} {name}{list(entry)} moves although all learning rates are zero: "
                "something beside the optimisers changes it"
            )
            violation = Violation.between(a, b, entry, text, step, name)
            return Finding(True, violation.ulps or 0, violation)
    for _ in range(setting.steps):
        true.step()
    moved = true.parameter_arrays()
    return Finding(any(not compare.identical(a, moved[n]) for n, a in start.items()))


def moves(setting: TrainingSetting) -> Finding:
    """Look for a parameter that has a real gradient, and stays."""
    run = setting.training.start(seed=setting.seed)
    if not run.objects.optimizers:
        return Finding(counted=False, note="it has no optimiser", applies=False)
    held, start = _held(run), run.parameter_arrays()
    trainable = [n for n, p in run.parameters.items() if p.requires_grad]
    if not set(held) & set(trainable):
        message = "nothing that the optimisers hold is a parameter of the model that can be trained"
        return Finding(True, violation=Violation(message, 1, next(iter(start))))
    rates: dict[str, float] = {}
    gradients = _gradients_of(run, setting.steps, rates)
    if not run.updates:
        return Finding(False, note=f"no optimiser stepped within {setting.steps} steps")
    end = run.parameter_arrays()
    still = [n for n in trainable if n in gradients and compare.identical(start[n], end[n])]
    suspects = [name for name in still if abs(gradients[name]).max(initial=0.0) > 0]
    if not suspects:
        return Finding(counted=True)
    response = dict.fromkeys(suspects, 0.0)
    for draw in range(_DRAWS):
        near = setting.training.start(seed=setting.seed)
        near.load(setting.nearby(draw))
        other = _gradients_of(near, setting.steps, {})
        for name in suspects:
            gap = difference(gradients[name], other.get(name, np.zeros(())))
            response[name] = max(response[name], gap if gap == gap else np.inf)
    for name in suspects:
        largest = float(abs(gradients[name]).max())
        eps = setting.precision[name]
        if largest <= max(response[name], eps * 1e-3):
            continue
        if name not in held:
            why = "no optimiser holds it"
        elif rates[name] and rates[name] * largest > eps * float(abs(start[name]).max()):
            why = f"its learning rate is {rates[name]:.3g}"
        else:
            continue
        message = (
            f"{name} has a gradient of up to {largest:.3g} and does not move in {setting.steps} "
            f"steps: {why}"
        )
        return Finding(True, violation=Violation(message, setting.steps, name))
    return Finding(counted=True)


def _gradients_of(run: Any, steps: int, rates: dict[str, float]) -> dict[str, NDArray[Any]]:
    """Take steps; return the first gradient of each parameter that an update could have used.

    That of one that is held is there when its own optimiser steps: others may leave gradients that
    are cleared before. ``rates`` becomes the largest rate of each.
    """
    found: dict[str, NDArray[Any]] = {}
    names = {id(p): name for name, p in run.parameters.items()}
    held = _held(run)

    def look(optimizer: Any) -> None:
        own = set()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                own.add(name := names[id(parameter)])
                rates[name] = max(rates.get(name, 0.0), float(group.get("lr", 1.0)))
        for name, gradient in run.gradients().items():
            if name not in found and (name in own or name not in held) and gradient.any():
                found[name] = gradient

    run.before_update = look
    for _ in range(steps):
        run.step()
    return found


def _held(run: Any) -> dict[str, Any]:
    """Return the parameters that an optimiser holds, by name."""
    ids = {id(p) for optimizer in run.objects.optimizers.values() for p in held_by(optimizer)}
    return {name: p for name, p in run.parameters.items() if id(p) in ids}


def pins(setting: TrainingSetting) -> Finding:
    """Compare the numbers of units with those that the training pins."""
    expected = setting.training.expect_units
    if not expected:
        return Finding(counted=False, note="it pins no numbers of units", applies=False)
    for name, number in expected.items():
        found = _pinned(setting.units, name)
        if not any(units.count == number for units in found):
            counts = ", ".join(f"{units.count} in {units.name}" for units in found) or "none"
            message = f"{name} is to have {number} equal units, found {counts}"
            return Finding(True, violation=Violation(message, 0, "", group=name))
    return Finding(counted=True)


def _pinned(groups: Sequence[Units], name: str) -> list[Units]:
    """Return the groups of a module: ``fc1`` is not ``fc10``, unless nothing else begins so."""
    name = name.removeprefix("layer ")  # so that 0 pins what is called "layer 0 units"
    named = [(units, units.name.removeprefix("layer ")) for units in groups]
    found = [u for u, own in named if own == name or own.startswith((f"{name} ", f"{name}."))]
    return found or [units for units, own in named if own.startswith(name)]


def gradient(setting: TrainingSetting) -> Finding:
    """Compare what the first backward left with differences of the loss, for each parameter."""
    if ranks.world() > 1:
        note = "the gradients of several ranks are averaged, and their losses are not"
        return Finding(False, applies=False, note=note)
    base = setting.training.start(dtype="float64", seed=setting.seed, noise=False)
    gradients: dict[str, NDArray[Any]] = {}
    base.after_backward = lambda: None if gradients else gradients.update(base.gradients())
    base.step()
    if not gradients:
        return Finding(counted=False, note="its step calls no backward()", applies=False)
    counted, worst, random = False, 0.0, Random(setting.seed, _DIRECTIONS)
    for name, array in gradients.items():
        start = setting.start[name]
        direction = np.where(random.integers(2, start.shape) == 1, 1.0, -1.0)
        h = 1e-5 * max(float(abs(start).max()), 1e-3)
        loss = _loss_along(setting, name, start, direction)
        wide, narrow = ((loss(x) - loss(-x)) / (2 * x) for x in (h, h / 2))
        claimed = float((array * direction).sum())
        allowed = 10 * abs(wide - narrow) + 1e-6 * abs(narrow)
        counted = counted or abs(narrow) > allowed
        worst = max(worst, abs(claimed - narrow) / allowed if allowed else 0.0)
        if abs(claimed - narrow) > allowed:
            message = (
                f"backward says that the loss changes by {claimed:.6g} along a direction of "
                f"{name}, differences of the loss say {narrow:.6g}"
            )
            return Finding(True, violation=Violation(message, 1, name, allowed=allowed))
    return Finding(counted, margin=worst)


def _loss_along(
    setting: TrainingSetting, name: str, start: NDArray[Any], direction: NDArray[Any]
) -> Callable[[float], float]:
    def loss(distance: float) -> float:
        run = setting.training.start(dtype="float64", seed=setting.seed, noise=False)
        run.load({name: start + distance * direction})
        run.rehearse(1)
        return math.nan if run.loss is None else run.loss

    return loss
