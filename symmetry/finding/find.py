"""Finding the groups of equal units of a training, and what becomes of every parameter axis."""

import numpy as np

from symmetry.base import ranks
from symmetry.finding.coverage import Coverage, Tell
from symmetry.finding.groups import Groups
from symmetry.finding.naming import named
from symmetry.finding.reasons import idle, room, uncovered
from symmetry.finding.rehearsal import Rehearsal
from symmetry.finding.siblings import siblings
from symmetry.finding.solver import Solver
from symmetry.trainings.state import is_distributed
from symmetry.trainings.training import TrainingError, TrainingTarget
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
    if ranks.world() > 1 and any(map(is_distributed, training.start().parameters.values())):
        raise TrainingError(f"{training.name}: its ranks hold parameters in parts (DTensor)")
    rehearsal = Rehearsal(training)
    trace, loss = rehearsal.trace()
    solver = Solver(trace, loss)
    search = Groups(solver, rehearsal.tolerance, rehearsal.trainable, progress)
    candidates = [] if rehearsal.silent else search.find()
    progress("all groups at once", 0, 1)
    rehearsal.excused = search.excused
    groups = rehearsal.survivors(candidates)
    shapes = {name: array.shape for name, array in rehearsal.start.items()}
    progress("modules in lists", 0, 1)
    left = uncovered(groups, solver, {}, rehearsal.trainable)
    free = [(u.array, u.axis) for u in left if u.why != "no gradient"]

    def holds(units: Units) -> bool:
        if len(idle(units, rehearsal.gradients)) == units.count:
            return False
        return search.holds(units) and bool(rehearsal.survivors([units], groups))

    wholes = siblings(shapes, free, holds)
    groups = named([*groups, *wholes], shapes, rehearsal.turned)
    return Coverage(
        rehearsal.model,
        tuple(groups),
        tuple(room(units, groups, shapes) for units in groups),
        tuple(uncovered(groups, solver, search.failures, rehearsal.trainable)),
        tuple(f"{name} at {place}" for name, place in rehearsal.random),
        {units.name: idle(units, rehearsal.gradients) for units in groups},
    )
