"""Tensors that may treat units differently without being a bug: they are no violation.

Units are found by the forward, so it is not known how they lie in a tensor that only the backward
reads, such as feedback that is fixed at random, or only the update. Nor is the start known of
parameters that the first forward sets from its batch, or makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from symmetry.law.measurement import Measurement
from symmetry.training.baseline import JUDGED
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.frameworks import title_of
from symmetry.training.run import Constant, needed
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import Array

_MARKED = 2  # unlike slices that a tensor has which only marks some of the units


def only_if_read(
    measure: Callable[[TrainingStart], Measurement],
) -> Callable[[TrainingStart], Measurement]:
    """Drop a violation of units that tensors read outside the forward explain.

    The measurement is repeated with each such tensor made equal for all units. If nothing is
    violated then, nothing else treats them differently. That settles it for noise, which the step
    draws for each unit anew; where it draws the same numbers in each step, it is not known what
    they are. Tensors read by the same line are handled together: where it reads masks, the mask of
    a bias, which marks some units only, is made equal as the others are.
    """

    @wraps(measure)
    def judged(start: TrainingStart) -> Measurement:
        found = measure(start)
        if not _accuses(found):
            return found
        unread = [(u, _axes(u, start)) for u in start.begin().constants_outside_forward(JUDGED)]
        own = [u for u, axes in unread if axes and _is_of_units(u, axes, start)]
        if not own:
            return found
        fixed = [u for u in own if not u.random or u.repeats]
        places = {u.place for u in fixed}
        level = {u.number: axes for u, axes in unread if axes and (u in own or u.place in places)}
        averaged = measure(start.averaging(level))
        if _accuses(averaged) or not averaged.counted:
            return found
        if fixed:
            return Measurement(
                counted=False,
                note=_not_known(fixed, title_of(start.target.framework)),
                random=found.random,
            )
        return replace(averaged, noise=(own[0].place,), random=found.random)

    return judged


def only_if_initialised(
    measure: Callable[[TrainingStart], Measurement],
) -> Callable[[TrainingStart], Measurement]:
    """Drop a violation where the first forward sets or makes parameters, and later ones do not.

    Glow initialises its normalisation so. The gradients of such parameters are pure rounding in the
    first step, whatever units hold, and an optimiser may make full steps of them. BYOL's target may
    be a copy that the first forward makes: no unit is known to lie in it.
    """

    @wraps(measure)
    def judged(start: TrainingStart) -> Measurement:
        found = measure(start)
        if found.violation is None or not _accuses(found):
            return found
        if _is_made(array := found.violation.array, start):
            why = f"the first step makes {array}, and no unit is known to lie in it"
        elif names := _initialised(start):
            why = f"the first forward sets {names[0]} from its batch"
        else:
            return found
        return Measurement.cannot_judge(why, random=found.random)

    return judged


def _is_made(array: str, start: TrainingStart) -> bool:
    """Return whether an array is a parameter or buffer that only the first step makes."""
    made = start.result[0].keys() - start.state.keys()
    return array.startswith("model.") and array in made


def _not_known(fixed: Sequence[Constant], framework: str) -> str:
    """Name the tensors that treat units differently, and the remedy."""
    first, more = fixed[0], len(fixed) - 1
    verb = f"and {more} more differ" if more else "differs"
    remedy = ". Return it in the extras under its parameter's name, and it is permuted too"
    if first.varies:
        remedy = f". Draw noise by {framework}, and it is left out"
    if first.random:
        remedy = ". Draw other noise in each step"
    return (
        f"cannot judge: {first} {verb} between units, and no forward reads it, so it is unknown "
        f"which of its entries belong to which unit{'' if first.name else remedy}"
    )


def _accuses(found: Measurement) -> bool:
    return found.violation is not None and not found.violation.rounding


def _axes(unread: Constant, start: TrainingStart) -> list[int]:
    """Return the axes of a tensor along which the units of some group may lie: flat ones, too."""
    state, parts = start.result[-1], [p for u in start.groups for p in u.parts if not p.arrays]
    lengths = {state[part.array].shape[part.axis] for part in parts}
    lengths |= {state[part.array].size for part in parts}
    lengths.add(sum(state[name].size for name in start.baseline.trained))
    return [axis for axis, length in enumerate(unread.array.shape) if length in lengths]


def _is_of_units(unread: Constant, axes: Sequence[int], start: TrainingStart) -> bool:
    """Return whether a tensor may hold different values per unit.

    Without a name it has not if it only marks some of the units. If only an update reads it, it
    must also be a mask of entries, a copy of a parameter as it was at the start, or differ from
    step to step, as noise that other libraries draw.
    """
    array = unread.array
    if unread.name is not None or unread.random:
        return True
    if max(len(np.unique(array.swapaxes(0, axis), axis=0)) for axis in axes) <= _MARKED:
        return False
    copied = any(np.array_equal(array, other) for other in start.baseline.state.values())
    return unread.backward or unread.varies or copied or bool(np.isin(array, (0, 1)).all())


def _initialised(start: TrainingStart) -> list[str]:
    """Return the parameters that the forward of the first step changes, and of no later one."""
    run = start.begin()
    written: list[set[str]] = []
    for _ in range(JUDGED):
        before, changed = run.parameter_arrays(), set[str]()
        look = _comparing(run.parameter_arrays, before, changed)
        with needed(run, StepEvents).listening(on_loss=look):
            run.step()
        written.append(changed)
    run.close()
    first, *later = written
    return sorted(first.difference(*later))


def _comparing(
    arrays: Callable[[], dict[str, Array]], before: dict[str, Array], changed: set[str]
) -> Callable[[Any], None]:
    """Return what notes, at the first loss of a step, which arrays are other ones than before."""
    seen = False

    def look(_: Any) -> None:
        nonlocal seen
        if not seen:
            changed.update(n for n, a in arrays().items() if not compare.identical(a, before[n]))
        seen = True

    return look
