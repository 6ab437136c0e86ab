"""``symmetry/stuck``: the units of a layer do not all stay copies of one unit.

The theorem that this project began with: units that are equal in all that comes in and goes out
receive equal gradients, so they stay equal for ever. A layer that starts so is one unit, however
many it has. A random number that is drawn for each of them, such as dropout's, makes them differ.
Single numbers, as the weights of the terms of a loss, are no units of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.invariants.movement.gradients import gradients_of
from symmetry.law.measurement import Measurement, Violation
from symmetry.observe.source_line import NOWHERE
from symmetry.training.capabilities.model import Layered, Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import Run
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, has_moved, largest
from symmetry.units.units import Units

_EQUAL = 1e-9  # the distance of units by rounding in float64, relative to their largest entry


def stuck(start: TrainingStart) -> Measurement:
    """Look for a group whose units start equal, are trained, and are equal after all steps."""
    if not start.groups:
        note = "no equal units were found"
        return Measurement(counted=False, note=note, unproved=True)
    trained = start.baseline.trained
    groups = [units for units in start.groups if _trained(units, trained)]
    groups = [units for units in groups if not _are_numbers(units, start)]
    alike = [units for units in groups if _equal(units, start.state)]
    if alike:
        run = start.begin(noise=True)
        trained -= _without_gradient(run, start.steps)
        end = run.state()
        run.close()
        if not has_moved(start.state, [end]):
            return Measurement(counted=False, note="nothing moved")
        alike = [units for units in alike if _trained(units, trained) and _equal(units, end)]
        alike = [units for units in alike if _are_made(units, run)]
    if not alike:
        return Measurement(counted=bool(groups))
    layered = run.capability(Layered)
    how = "" if layered is None else f": {layered.initialised}"
    first, others = alike[0], [units.name for units in alike[1:]]
    also = f" So do {', '.join(others)}." if others else ""
    text = (
        f"all {first.count} {first.name} start with the same numbers, and nothing makes "
        f"them different: they receive the same gradients, and after {start.steps} steps they are "
        f"still copies of one unit. The layer can never be more than one unit.{also} Start its "
        f"weights at random{how}."
    )
    array = next(part.array for part in first.parts if part.array in trained)
    place = NOWHERE if layered is None else layered.creation(array).place
    return Measurement.violated(Violation.at(text, place, start.steps, array, group=first.name))


INVARIANT = TrainingInvariant(
    name="symmetry/stuck",
    statement="the units of a layer do not all stay copies of one unit (float64)",
    reason="units that start at random, or are drawn apart, become different",
    witness="equal units that are trained",
    cause="the layer starts from constants, so that all of its units stay equal",
    cure="Initialise the weights at random.",
    targets="PyTorch and JAX trainings",
    measure=stuck,
    dtypes=PROMOTED,
    units=True,
    runs=1,
)


def _without_gradient(run: Run, steps: int) -> frozenset[str]:
    """Take steps; return what optimisers hold that has no gradient in any of them, not even zeros.

    The gradient is cut off on the way there, and ``training/cut`` says where.
    """
    optimizing, events = run.capability(Optimizing), run.capability(StepEvents)
    if optimizing is None or events is None:
        for _ in range(steps):
            run.step()
        return frozenset()
    seen = gradients_of(run, steps)
    reached = {*seen.first, *seen.zero}
    seeing = reached and events.updates
    return frozenset(optimizing.held) - reached if seeing else frozenset()


def _trained(units: Units, trained: frozenset[str]) -> bool:
    """Return whether a part of the units is trained."""
    return any(part.array in trained for part in units.parts)


def _are_made(units: Units, run: Run) -> bool:
    """Return whether the units are more than inputs of layers.

    Inputs that are equal, as those of a constant, have weights that stay equal, and need no more.
    """
    layered = run.capability(Layered)
    layers = layered.layers if layered is not None else {}
    parts = [part for part in units.parts if part.array in run.parameters]
    return not all(p.array in layers and p.axis != layers[p.array][0] for p in parts)


def _are_numbers(units: Units, start: TrainingStart) -> bool:
    """Return whether each unit is a single number of one array."""
    arrays = [start.state[name] for name in units.arrays if name in start.baseline.trained]
    return len(arrays) == 1 and arrays[0].ndim == 1


def _equal(units: Units, state: Mapping[str, Array]) -> bool:
    """Return whether all units hold the same numbers, up to rounding."""
    return all(_near(array, other) for array, other in _pairs(units, state))


def _near(array: Array, other: Array) -> bool:
    return bool((abs(array - other) <= _EQUAL * (largest(array) or 1.0)).all())


def _pairs(units: Units, state: Mapping[str, Array]) -> Iterator[tuple[Array, Array]]:
    """Yield each array of the units, and the same with every unit in the place of its neighbour."""
    turned = units.rearranged(state, np.roll(np.arange(units.count), 1))
    for name in units.arrays:
        if name in state and name in turned:
            yield state[name], turned[name]
