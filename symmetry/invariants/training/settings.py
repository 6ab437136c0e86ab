"""Settings that must not matter: a run in which one of them is changed is the same run."""

from collections.abc import Container
from dataclasses import replace
from functools import partial

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.equivariance import compare_sides
from symmetry.law.measurement import Measurement
from symmetry.training import frameworks
from symmetry.training.baseline import JUDGED, States
from symmetry.training.capabilities.platform import Configuring
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.frameworks import Setting
from symmetry.training.origin import OTHER_START_ULPS
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart


def _unaffected_by(setting: Setting, framework: str) -> TrainingInvariant:
    """Return the invariant that a setting of a framework does not matter."""
    name, words = setting.name, setting.words
    return TrainingInvariant(
        name=f"training/{name}",
        statement=f"a run {words} is the same",
        reason=setting.reason,
        witness="a state that moved",
        cause="the code depends on a setting that must not matter",
        cure=f"Compare a run {words} with the run as it is, and correct what differs.",
        targets=f"{framework} trainings",
        failure="depends on what must not matter",
        example=f"The training is run {words}, and as it is written. After each step the states "
        "have to be the same, up to rounding. To see whether it is the setting, change it in the "
        "training itself.",
        needs=(Configuring,),
        measure=partial(unaffected, setting=name, words=words, has=setting.has),
        compared="response",
        default=setting.default,
        dtypes=WRITTEN,
        copies=8,
        of_device=setting.of_device,
    )


def unaffected(
    start: TrainingStart, setting: str, words: str, has: str, but: Container[str] = ()
) -> Measurement:
    """Compare a run in which a setting is turned with the run as it is.

    ``words`` say how it is turned, and what it ``has`` where there is something to turn. All arrays
    are compared ``but`` some.

    Witness: the state moved.
    """
    lacks = Measurement.not_applicable(f"it has no {has}")
    if setting not in start.turnable:
        return lacks
    try:
        states, counts, changed = start.with_run(partial(_turned, setting=setting))
    except TrainingError as error:
        return Measurement.cannot_judge(f"{words}, {error}")
    if not changed:
        return lacks
    if setting == "scale" and counts != start.with_run(_counted)[1]:
        return Measurement.cannot_judge("the scale decides which steps are left out")

    def sides(number: int) -> tuple[States, States]:
        if not number:
            return _without(but, states), _without(but, start.result)
        # Where an activation is almost zero, or two are almost one maximum, rounding decides what
        # is trained. That is where the start happens to lie.
        changed = start.nearby(number, OTHER_START_ULPS)
        turned, *_ = start.with_run(partial(_turned, setting=setting), changed)
        return _without(but, turned), _without(but, start.states(changed))

    texts = f"this start {words}", "the run as it is"
    found = compare_sides(start, sides, *texts)
    if found.violation is None:
        return found
    why = start.with_run(partial(_reason, setting=setting))
    message = f"{found.violation.message}: {why}" if why else found.violation.message
    return replace(found, violation=replace(found.violation, message=message))


def _reason(run: Run, setting: str) -> str:
    return needed(run, Configuring).reason(setting)


def _without(names: Container[str], states: States) -> States:
    return [{n: array for n, array in state.items() if n not in names} for state in states]


Counts = list[tuple[int, int]]


def _turned(run: Run, setting: str) -> tuple[States, Counts, bool]:
    """Return what ``_counted`` does with a setting turned, and whether there was one to turn."""
    with needed(run, Configuring).with_setting(setting) as changed:
        states, counts = _counted(run)
    return states, counts, changed()


def _counted(run: Run) -> tuple[States, Counts]:
    """Return the states of a run, and the updates by then and backwards of each step.

    A step of a script goes on to its next update: where one is left out, it has more backwards.
    """
    events, counts = needed(run, StepEvents), list[tuple[int, int]]()
    states: States = []
    for state in run.states(JUDGED):
        states.append(state)
        counts.append((events.updates, events.backwards))
    return states, counts


INVARIANTS = tuple(
    _unaffected_by(setting, framework.title)
    for framework in frameworks.registered().values()
    for setting in framework.settings
)
