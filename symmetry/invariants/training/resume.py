"""``training/resume``: a saved state, loaded into a fresh training, continues the run.

Example: a running mean of the loss that divides it, and that is a number of the loop.

The state dictionaries of the model, the optimisers, schedulers and scalers are saved after a step,
and loaded into a fresh training, which goes on. It has to reach the same bits as the run that was
not interrupted. Save what is missing, beside the others, or register it as a buffer.

A training as a function may return ``{"save": save, "load": load}`` beside the step. Then these
functions of a folder take the place of the state dictionaries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.equivariance import first_difference
from symmetry.law.measurement import LEFT_GRADIENTS, Measurement, Violation
from symmetry.law.note import NoteKind
from symmetry.training.capabilities.model import Optimizing
from symmetry.training.capabilities.saving import SavedRun, Saving
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.events import Saved
from symmetry.training.origin import OTHER_START_ULPS
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import State, has_moved

# How PyTorch says that a graph reaches over the place where parameters were loaded.
_GRAPH = "modified by an inplace operation"
UNSAVED = NoteKind(
    "training/unsaved",
    meaning="A script that saves its model, and no optimiser, keeps state that no state dictionary "
    "has, such as numbers of its loop. If it is to be resumed, save this, too.",
)
_HANDED_ON = Violation("the next step begins with an earlier result of a model", 0, "")


def resume(start: TrainingStart) -> Measurement:
    """Save after a step, load into a fresh training, go on, and compare the bits.

    A sequential training first goes to the same place, from a start nearby: far enough for values
    that it computes on the way, and does not save, to be different. Its graph may reach over that
    place, as a generator's does over the update of its critic: one where loading works is enough.
    No place is judged where a model's results are on their way into the next step, such as a hidden
    state that is handed on, or samples that a generator has made. A script that saves no optimiser
    is not made to be resumed: then it is a note that some state is not saved, if it saves anything.
    """
    run = start.begin(noise=True)
    saving = needed(run, Saving)
    has_optimizers = _has_optimizers(run)
    if start.target.sequential and not has_optimizers:
        why = "it has no optimiser, and what else it saves is not known"
        return Measurement.not_applicable(why)
    states, saves = _taken(start, run, saving, has_optimizers=has_optimizers)
    violated: list[tuple[SavedRun, Violation]] = []
    for saved in saves:
        found = _after_loading(start, saved, states)
        if found is None:
            return Measurement(has_moved(states[saved.taken - 1], states[-1:]))
        violated.append((saved, found))
    if not violated:
        note = f"in {start.steps} steps some gradients always wait for a later update"
        return Measurement(counted=False, note=note)
    if start.runs_differ:
        return Measurement.cannot_judge("two runs differ by rounding")
    violated = [each for each in violated if each[1] is not _HANDED_ON]
    if not violated:
        why = f"wherever it was saved, {_HANDED_ON.message}, as a hidden state or a rollout"
        return Measurement.cannot_judge(why)
    # A run that goes on shows more than one that raises, perhaps in the middle of an iteration.
    saved, violation = next((each for each in violated if each[1].array), violated[0])
    if violation.array:
        only_gradients = not _after_loading(start, saved, states, gradients=True)
        return _another_way(start, saving, violation, only_gradients=only_gradients)
    if start.target.sequential and _GRAPH in violation.message:
        why = f"it was saved in the middle of an iteration, and {violation.message}"
        return Measurement.cannot_judge(why)
    return Measurement.violated(violation)


def _taken(
    start: TrainingStart, run: Run, saving: Saving, *, has_optimizers: bool
) -> tuple[list[State], list[SavedRun]]:
    """Take the steps of a run; return the states from the first save on, and what was saved."""
    states: list[State] = []
    saves: list[SavedRun] = []
    events = needed(run, StepEvents)
    for _ in range(start.steps):
        updates = events.updates
        run.step()
        done = (events.updates > updates and not events.pending) or not has_optimizers
        if done and run.taken < start.steps and (start.target.sequential or not saves):
            saves.append(saving.save())
        states.append(run.state() if saves else {})
    return states, saves


def _another_way(
    start: TrainingStart, saving: Saving, violation: Violation, *, only_gradients: bool
) -> Measurement:
    """Return the measurement of a run that goes another way after it was loaded, and why it does.

    ``only_gradients`` says whether it goes the same way with the gradients of the saved run.
    """
    if only_gradients:
        added = (
            "the gradients of earlier steps are added up: zero_grad() is missing or comes too late"
        )
        message = f"{violation.message}: {added}"
        return Measurement.violated(replace(violation, message=message, mechanism=LEFT_GRADIENTS))
    carried = "a state that it carries from step to step is not saved"
    if not start.target.sequential:
        carried = saving.cure
    unsaved = f"{saving.lacks}, and a saved run does not go on the same ({carried})"
    message = f"{violation.message}: {unsaved}"
    saves = _saves(start)
    if start.target.sequential and not any(saved.optimizer for saved in saves):
        text = f"{message}. It saves no optimiser; if it is to be resumed, save this state, too"
        why = "it is not made to be resumed, since it saves no optimiser"
        return Measurement.cannot_judge(why, notes=(UNSAVED.at(text),) if saves else ())
    return Measurement.violated(replace(violation, message=message))


INVARIANT = TrainingInvariant(
    name="training/resume",
    statement="a saved state loaded into a fresh training continues the run with the same bits",
    reason="the state of a step is saved, or made anew in every step",
    witness="something that moved after the reload",
    cause="the checkpoint lacks state that the training needs",
    cure="Save and load the optimiser, the schedule, the scaler and the generators as well.",
    targets="PyTorch and JAX trainings",
    notes=(UNSAVED,),
    needs=(Saving,),
    cheap=True,
    measure=resume,
    dtypes=WRITTEN,
    copies=9,
)


def _saves(start: TrainingStart) -> list[Saved]:
    """Return what a script saves; only who goes on needs the state of an optimiser."""
    epochs = start.target.epochs(start.seed)
    return [] if epochs is None else [e for e in epochs.events if isinstance(e, Saved)]


def _has_optimizers(run: Run) -> bool:
    optimizing = run.capability(Optimizing)
    return optimizing is not None and bool(optimizing.optimizers)


def _after_loading(
    start: TrainingStart, saved: SavedRun, states: Sequence[State], *, gradients: bool = False
) -> Violation | None:
    """Go on from the saved state; return the first array that differs from these states."""
    sequential = start.target.sequential
    again = start.begin(start.nearby(0, OTHER_START_ULPS) if sequential else None, noise=True)
    which = f"a run saved after step {saved.taken} and loaded again"
    try:
        for _ in range(saved.taken if sequential else 0):
            again.step()
        if needed(again, Saving).hands_on(saved):
            return _HANDED_ON
        needed(again, Saving).restore(saved, gradients=gradients)
        further = again.states(start.steps - saved.taken)
        return _difference(states[saved.taken - 1 :], again.state(), further, which, saved.taken)
    except TrainingError as error:
        return Violation(f"it cannot go on: {error}", saved.taken, "")


def _difference(
    states: Sequence[State], loaded: State, further: Iterable[State], which: str, taken: int
) -> Violation | None:
    """Return the first array that differs and moves in either run.

    A parameter that an optimiser holds, and that no step reads or writes, is not saved, and no
    training goes on another way because of it.
    """
    moved = _moved(states[0], *states[1:])
    for step, (expected, found) in enumerate(zip(states[1:], further, strict=False), taken + 1):
        moved |= _moved(loaded, found)
        own = {name: array for name, array in expected.items() if name in moved}
        if (violation := first_difference([own], [found], which, begin=step)) is not None:
            return violation
    return None


def _moved(before: State, *after: State) -> set[str]:
    """Return the arrays that are new or not what they were before."""
    return {
        name
        for state in after
        for name, array in state.items()
        if name not in before or not compare.identical(before[name], array)
    }
