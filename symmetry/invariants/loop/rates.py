"""Learning rates: groups keep their own, and a schedule moves all that are trained together."""

from __future__ import annotations

from collections import Counter

from symmetry.invariants.loop.judgement import Judgement
from symmetry.law.excuse import Excuse
from symmetry.law.note import NoteKind
from symmetry.training.events import Epochs, SteppedOptimizer, Updated

UNSCHEDULED = NoteKind(
    "loop/unscheduled",
    meaning="A schedule moves the learning rate of one optimiser or group, and another one keeps "
    "its own. Schedule all of them, unless the rate is to stay.",
)
FROM_ZERO = Excuse("a rate of 0", "a group begins with a rate of 0: it is frozen until later")
BY_GROUP = Excuse("functions by group", "the schedule has a function for each group")
OTHER_LOSS = Excuse(
    "another loss", "the optimisers step behind other backwards, as that for a temperature does"
)
EXCUSES = (FROM_ZERO, BY_GROUP, OTHER_LOSS)
_SEVERAL = 3  # updates of an optimiser that show what becomes of its rates

Series = list[tuple[float, ...]]  # the rates of the groups of an optimiser, by update


def rates_move(epochs: Epochs) -> bool:
    """Return whether the rates of any optimiser move."""
    return any(map(_moves, _rates(epochs).values()))


def judge_rates(epochs: Epochs, judgement: Judgement) -> None:
    """Judge the rates of groups, and of optimisers that train together."""
    rates = {number: each for number, each in _rates(epochs).items() if len(each) >= _SEVERAL}
    known = {each.number: each for each in epochs.optimizers}
    for number, each in rates.items():
        if _moves(each) and number in known:
            _judge_groups(epochs, known[number], each, judgement)
    backwards = _backwards(epochs)
    for still in (number for number, each in rates.items() if not _moves(each)):
        for moving in (number for number, each in rates.items() if _moves(each)):
            if still in known and moving in known:
                same = backwards[still] == backwards[moving]
                _judge_pair(epochs, known[moving], known[still], judgement, same=same)


def _rates(epochs: Epochs) -> dict[int, Series]:
    """Return the rates of optimisers whose groups stay as many."""
    found: dict[int, Series] = {}
    for event in epochs.events:
        if isinstance(event, Updated) and event.rates:
            found.setdefault(event.optimizer, []).append(event.rates)
    return {number: rates for number, rates in found.items() if len({*map(len, rates)}) == 1}


def _moves(rates: Series) -> bool:
    return len({*rates}) > 1


def _judge_groups(
    epochs: Epochs, optimizer: SteppedOptimizer, rates: Series, judgement: Judgement
) -> None:
    at, initial = _first(epochs, optimizer.number).at, optimizer.initial
    if len(initial) == len(rates[0]) and len({*initial}) > 1:
        equal = all(len({*each}) == 1 and each[0] > 0 for each in rates[1:])
        if equal and 0 in initial:
            judgement.spare(FROM_ZERO, at)
        elif equal:
            judgement.accuse(
                f"the groups of {optimizer.kind} begin with the rates "
                f"{', '.join(f'{rate:g}' for rate in initial)}, and have one rate in all updates "
                "behind the first: the schedule overwrites those of the groups. Scale each "
                "group's own rate.",
                at,
            )
    moving = [len({*series}) > 1 for series in zip(*rates, strict=True)]
    if all(moving):
        return
    if optimizer.by_group or 0 in rates[0]:
        judgement.spare(BY_GROUP if optimizer.by_group else FROM_ZERO, at)
    else:
        judgement.note(
            UNSCHEDULED,
            f"{sum(moving)} of {len(moving)} groups of {optimizer.kind} have a rate that moves; "
            "the others keep theirs. Set the rate of each group.",
            at,
        )


def _judge_pair(
    epochs: Epochs,
    moving: SteppedOptimizer,
    still: SteppedOptimizer,
    judgement: Judgement,
    *,
    same: bool,
) -> None:
    """Judge an optimiser whose rate moves beside one whose rate stays."""
    at = _first(epochs, still.number).at
    twice = next((kind for kind, n in Counter(moving.schedules).items() if n > 1), "")
    if not same:
        judgement.spare(OTHER_LOSS, at)
    elif twice and not still.schedules:
        judgement.accuse(
            f"{moving.kind} has two schedules of class {twice}, and {still.kind}, which steps "
            "behind the same backwards, has no schedule: one is made for the wrong optimiser.",
            at,
        )
    elif not still.schedules:
        judgement.note(
            UNSCHEDULED,
            f"{moving.kind} and {still.kind} step behind the same backwards, and only the rate of "
            "the first moves. Schedule both, unless the second is to stay.",
            at,
        )


def _first(epochs: Epochs, optimizer: int) -> Updated:
    updates = (event for event in epochs.events if isinstance(event, Updated))
    return next(event for event in updates if event.optimizer == optimizer)


def _backwards(epochs: Epochs) -> dict[int, set[tuple[int, ...]]]:
    """Return the backwards of the updates of each optimiser."""
    found: dict[int, set[tuple[int, ...]]] = {}
    for event in epochs.events:
        if isinstance(event, Updated):
            found.setdefault(event.optimizer, set()).add(event.backwards)
    return found
