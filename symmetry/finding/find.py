"""Finding the groups of equal units of a training, and what becomes of every parameter axis."""

import math

import numpy as np

from symmetry.finding.coverage import Coverage, Tell
from symmetry.finding.groups import Groups
from symmetry.finding.naming import named
from symmetry.finding.reasons import (
    Reasons,
    capacity,
    modules_without_gradient,
    units_without_gradient,
)
from symmetry.finding.rehearsal import Rehearsal
from symmetry.finding.siblings import siblings
from symmetry.finding.solver import Solver
from symmetry.training.target import TrainingTarget
from symmetry.units.units import Units


@np.errstate(all="ignore")  # masks of -1e308, and slices that are moved far, overflow by rights
def find(training: TrainingTarget, progress: Tell = lambda *_: None) -> Coverage:
    """Find all groups of equal units in the parameters and buffers of a training's model.

    Parameters
    ----------
    training
        Its first two steps are taken several times, most of them only up to their losses.
    progress
        Is told what is being done: the parameter whose slices are tried, its number, of how many.

    Raises
    ------
    TrainingError
        When the training cannot be run, its step has no loss, or the loss is not finite; or when
        ranks hold its parameters in parts, whose slices cannot be exchanged one by one.
    """
    progress("first steps", 0, 1)
    rehearsal = Rehearsal.begin(training)
    trained, reached = rehearsal.first.trained, rehearsal.first.gradients.entries
    solver = Solver(rehearsal.trace())
    search = Groups(solver, rehearsal.tolerance, trained, progress)
    candidates = [] if rehearsal.silent else search.find()
    progress("all groups at once", 0, 1)
    groups = rehearsal.survivors(candidates, excused=search.excused)
    shapes = {name: array.shape for name, array in rehearsal.start.items()}
    progress("modules in lists", 0, 1)
    reasons = Reasons(solver, search.unused, trained, rehearsal.reached, rehearsal.layers)
    free = [slot for slot, _ in reasons.left(groups) if reasons.has_gradient(slot[0])]
    free += [  # buffers, as the biases of routers
        (name, axis)
        for name in rehearsal.steps.buffers
        for axis in range(len(shapes[name]))
        if not any(units.along(name, axis) for units in groups)
    ]

    def holds(units: Units) -> bool:
        if len(units_without_gradient(units, reached)) == units.count:
            return False
        # A loop over experts does not perform the same where one that no sample chose has some.
        # What a router makes of them is another array.
        chosen = solver.chooses and any(not part.arrays for part in units.parts[1:])
        holds = chosen or search.holds(units)
        return holds and bool(rehearsal.survivors([units], groups, search.excused))

    wholes = siblings(shapes, free, holds)
    groups = named([*groups, *wholes], shapes, rehearsal.turned)
    return Coverage(
        rehearsal.model,
        tuple(groups),
        tuple(capacity(units, groups, shapes) for units in groups),
        tuple(reasons.uncovered(groups)),
        tuple(f"{name} at {place}" for name, place in rehearsal.random),
        {units.name: units_without_gradient(units, reached) for units in groups},
        tuple(reasons.without_units(groups)),
        modules_without_gradient(trained, rehearsal.reached),
        sum(math.prod(shapes[name]) for name in trained if name in shapes),
    )
