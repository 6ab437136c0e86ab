"""Finding the groups of interchangeable units of a training, and the reasons for all other axes."""

import math
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.finding.coverage import Coverage, Tell, capacity
from symmetry.finding.first_steps import PROMOTED
from symmetry.finding.groups import GroupSearch
from symmetry.finding.idle import dead_layers, modules_without_gradient, units_without_gradient
from symmetry.finding.naming import named
from symmetry.finding.reasons import Reasons
from symmetry.finding.rehearsal import Rehearsal
from symmetry.finding.siblings import siblings
from symmetry.finding.solver import Solver
from symmetry.training.capabilities.batching import FewSamples
from symmetry.training.target import Training
from symmetry.training.trace import Trace
from symmetry.units.units import Units

_BLIND = (
    "the value of its loss is the same for all parameters, and only its gradient depends on them, "
    "as with a ratio to its own detached value: an exchange of units cannot be proved by it"
)
_SHOWN = 0.5  # times what is detached: a ratio to its own value becomes its root
_DETACHING = "detach"  # in the names of operations that cut a graph
_FEW = 8  # samples of a batch, in whose trace groups are looked for


@np.errstate(all="ignore")  # masks of -1e308, and slices that are moved far, may overflow
def find(training: Training, progress: Tell = lambda *_: None) -> Coverage:
    """Find all groups of interchangeable units in a model's parameters and buffers.

    Parameters
    ----------
    training
        Its first two steps are taken several times, most of them only up to their losses.
    progress
        Is called with each stage of the work: the parameter whose slices are tried, its number, and
        how many there are.

    Raises
    ------
    TrainingError
        If the training cannot be run, its step has no loss, or the loss is not finite, or is the
        same for all parameters; or if ranks hold its parameters in parts, whose slices cannot be
        exchanged one by one.
    """
    progress("first steps", 0, 1)
    found = _found(Rehearsal.begin(training, FewSamples(_FEW)), progress)
    if found.may_be_blind:
        shown = replace(PROMOTED, detached=_SHOWN)
        found = _found(Rehearsal.begin(training, FewSamples(_FEW), shown), progress)
    if found.is_blind:
        raise TrainingError(f"{training.name}: {_BLIND}")
    rehearsal, trace, groups, reasons = found.rehearsal, found.trace, found.groups, found.reasons
    trained, gradients = rehearsal.first.trained, rehearsal.first.gradients.entries
    shapes = {name: array.shape for name, array in rehearsal.start.items()}
    idle = modules_without_gradient(trained - rehearsal.first.waiting, rehearsal.gradients)
    groups = named(groups, shapes, rehearsal.output_on_axis_1)
    return Coverage(
        rehearsal.model,
        tuple(groups),
        tuple(capacity(units, groups, shapes) for units in groups),
        tuple(reasons.uncovered(groups)),
        tuple(f"{name} at {place}" for name, place in rehearsal.random),
        {units.name: units_without_gradient(units, gradients) for units in groups},
        tuple(reasons.without_units(groups)),
        idle,
        tuple(dead_layers(trace, rehearsal.layers, idle)),
        sum(math.prod(shapes[name]) for name in trained if name in shapes),
        dict(reasons.stops(groups)),
    )


@dataclass(frozen=True)
class _Found:
    """The groups that are found in some steps."""

    rehearsal: Rehearsal
    trace: Trace
    groups: list[Units]
    reasons: Reasons

    @cached_property
    def is_blind(self) -> bool:
        """Whether it has no group, as the losses depend on no parameter, and gradients do."""
        gradients = self.rehearsal.first.gradients.entries
        received = any(entries.any() for entries in gradients.values())
        if not received or self.groups:
            return False
        blind: bool = self.rehearsal.steps.agreed(self.rehearsal.is_blind)
        return blind

    @property
    def may_be_blind(self) -> bool:
        """Whether it has no group, and the losses may cancel values that they depend on.

        A mean of advantages that are 0 together is no number, but rounding.
        """
        trace = self.trace
        detaching = (node for node in trace.nodes if _DETACHING in node.operation)
        cancels = any(
            not trace.into_loss.isdisjoint(node.outputs)
            and not trace.from_leaves.isdisjoint(node.inputs)
            for node in detaching
        )
        return self.is_blind or bool(self.rehearsal.steps.agreed(not self.groups and cancels))


def _found(rehearsal: Rehearsal, progress: Tell) -> _Found:
    """Search the steps, those of few samples first."""
    trace, thinned = rehearsal.trace(FewSamples(_FEW))
    solver, search, groups, complete = _search(rehearsal, trace, progress)
    if thinned and not complete:
        trace, _ = rehearsal.trace()
        solver, search, groups, _ = _search(rehearsal, trace, progress)
    progress("modules in lists", 0, 1)
    trained = rehearsal.first.trained
    reasons = Reasons(solver, search.unused, trained, rehearsal.gradients, rehearsal.layers)
    groups += _modules(rehearsal, solver, search, reasons, groups)
    return _Found(rehearsal, trace, groups, reasons)


def _search(
    rehearsal: Rehearsal, trace: Trace, progress: Tell
) -> tuple[Solver, GroupSearch, list[Units], bool]:
    """Return the groups that are found in a trace and hold, and whether a trace suffices.

    One of few samples does not if a group fails on all samples, or lacks units for which there is
    room: some may be silent, or of a class that does not occur. Nor does it if it reads fewer
    parameters, as those of an expert that no sample selects, or if all units of a layer are zero.
    """
    solver, trained = Solver(trace), rehearsal.first.trained
    received = rehearsal.received.at_once
    search = GroupSearch(solver, rehearsal.tolerance, trained, received, progress)
    candidates = rehearsal.steps.agreed([] if rehearsal.silent else search.run())
    progress("all groups at once", 0, 1)
    groups = rehearsal.survivors(candidates, excused=search.proof.excused)
    shapes = {name: array.shape for name, array in rehearsal.start.items()}
    idle = modules_without_gradient(trained, rehearsal.gradients)
    read = {name for name, leaf in trace.leaves.items() if leaf in trace.into_results}
    suffices = (
        len(groups) == len(candidates)
        and all(units.count == capacity(units, groups, shapes) for units in groups)
        and received.keys() <= read
        and not any(dead_layers(trace, rehearsal.layers, idle))
    )
    return solver, search, groups, rehearsal.steps.agreed(suffices)


def _modules(
    rehearsal: Rehearsal,
    solver: Solver,
    search: GroupSearch,
    reasons: Reasons,
    groups: list[Units],
) -> list[Units]:
    """Return the groups of whole modules, and of stacked ones, beside the groups of a search."""
    shapes = {name: array.shape for name, array in rehearsal.start.items()}
    gradients = rehearsal.first.gradients.entries
    axes = [axis for axis, _ in reasons.free_axes(groups) if reasons.has_gradient(axis[0])]
    free = rehearsal.steps.agreed(axes)
    free += [  # buffers, as the biases of routers
        (name, axis)
        for name in rehearsal.steps.buffers
        for axis in range(len(shapes[name]))
        if not any(units.along(name, axis) for units in groups)
    ]

    @cache
    def proved(units: Units) -> bool:
        # The trace of a loop over experts skips those that no sample has selected, and cannot be
        # repeated with others. Only the steps themselves can prove them.
        unrepeatable = solver.selects and any(not part.arrays for part in units.parts[1:])
        provable = rehearsal.steps.agreed(unrepeatable or search.proof.holds(units))
        found = provable and rehearsal.survivors([units], groups, search.proof.excused)
        return bool(found) and rehearsal.matters(units)

    trained = {*rehearsal.first.trained}

    def holds(units: Units) -> bool:
        # Running means and variances of one layer are equal as long as no loss depends on them.
        if trained.isdisjoint(name for part in units.parts for name in part.names):
            return False
        if len(units_without_gradient(units, gradients)) == units.count:
            return False
        # The first two are equal in all that hold: one failure refutes blocks of several sizes.
        pair = units if any(part.arrays for part in units.parts) else replace(units, count=2)
        return proved(pair) and proved(units)

    return [*siblings(shapes, trained, free, holds)]
