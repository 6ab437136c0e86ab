"""``loop/schedule``: a schedule ends where the loop ends.

Example: gradients of four batches are added up, and a schedule is made for the number of updates.

    scheduler = get_cosine_schedule_with_warmup(optimizer, 10, epochs * len(loader) // 4)
    for step, (x, y) in enumerate(loader):
        (loss(model(x), y) / 4).backward()
        if (step + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()                     four times an update

The rate is zero after a quarter of the training. Step a schedule where the optimiser steps. It is a
violation only if the numbers coincide: the schedule has as many steps as there are updates in all
epochs, and takes several with each. It is a note if it has as many steps as there are batches, and
takes one with each update, or as many as there are updates, and takes one with each epoch, so that
it never ends; if it ends long before the first epoch does; or if a cosine has come down before the
loop ends, and goes up again.

Groups of an optimiser that begin with unequal rates, and have one rate from the second update on,
are a violation, too: the schedule has overwritten those that were set. So are two equal schedules
for one optimiser while another, which steps behind the same backwards, has no schedule; behind
other backwards, as those of a GAN are, it is a note. An optimiser or a group that no schedule
moves, beside others that are moved, is a note, too.
"""

from __future__ import annotations

from collections import Counter

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse, NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import (
    Batch,
    Epochs,
    Exhausted,
    Scheduled,
    Scheduler,
    SteppedOptimizer,
    Updated,
)

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
    if moving.twice and not still.schedules:
        text = f"{moving.kind} has two equal schedules of class {moving.twice}, and {still.kind}"
        wrong = "has no schedule: one is made for the wrong optimiser."
        if same:
            judgement.accuse(f"{text}, which steps behind the same backwards, {wrong}", at)
        else:
            judgement.note(UNSCHEDULED, f"{text} {wrong}", at)
    elif not same:
        judgement.spare(OTHER_LOSS, at)
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


SCHEDULE = NoteKind("loop/schedule")
_VANISHED = 1.001e-3  # of the largest rate so far
_CURE = "Step it where the optimiser steps."
_FEWEST = 4  # updates in all epochs: few numbers coincide by chance
_UP = 0.05  # of all steps come behind the lowest rate: one more at the end does nothing


def schedule(epochs: Epochs, cure: str = _CURE) -> Judgement:
    """Judge the schedulers of a run; a cure of steps that are too many is named."""
    judgement = Judgement()
    judgement.applies = bool(epochs.of(Scheduled)) or rates_move(epochs)
    judgement.why = "" if judgement.applies else "it steps no scheduler"
    for scheduler in epochs.schedulers:
        _judge_end(epochs, scheduler, cure, judgement)
    if not judgement.accusations:
        _note_early_ends(epochs, judgement)
    judge_rates(epochs, judgement)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/schedule",
        statement="a schedule that is made for the updates of a loop is stepped with each of them",
        reason="it ends where the loop ends",
        witness="a scheduler that is stepped",
        cause="the schedule counts epochs, and is stepped with batches, or the other way round",
        cure="Step the scheduler as often as its length says.",
        notes=(SCHEDULE, UNSCHEDULED),
        excuses=EXCUSES,
    ),
    schedule,
)


def _judge_end(epochs: Epochs, scheduler: Scheduler, cure: str, judgement: Judgement) -> None:
    """Accuse a scheduler that is made for updates, and steps several times in each."""
    if not epochs.is_whole or scheduler.steps is None or len(epochs.optimizers) > 1:
        return
    if (usual := _usual(epochs, scheduler)) is None:
        return
    # A library counts the steps of epochs as the run has shortened them.
    for lengths in (_batches(epochs), _batches(epochs, shown=True)):
        _compare_end(epochs, scheduler, scheduler.steps, *usual, lengths, cure, judgement)


def _compare_end(
    epochs: Epochs,
    scheduler: Scheduler,
    steps: int,
    pieces: int,
    times: int,
    lengths: list[int],
    cure: str,
    judgement: Judgement,
) -> None:
    """Compare the end of a scheduler with updates of some backwards, and some steps each."""
    fewest, most = (sum(n // pieces for n in lengths), sum(-(-n // pieces) for n in lengths))
    kind, at = scheduler.kind, _steps_of(epochs, scheduler)[0].at
    if fewest < _FEWEST:
        return
    if scheduler.kind == "CosineAnnealingLR":
        total = times * most if times else len(_steps_of(epochs, scheduler))
        _note_rise(steps, total, judgement, at)
    if times > 1 and fewest <= steps <= most:
        judgement.accuse(
            f"{kind} is made for {steps} steps, as many as there are updates in all epochs, but it "
            f"takes {times} with each update: the learning rate is at its end after 1/{times} of "
            f"the training. {cure}",
            at,
        )
    elif times == 1 and pieces > 1 and steps == sum(lengths):
        judgement.note(
            SCHEDULE,
            f"{kind} is made for {steps} steps, as many as there are batches in all epochs, but "
            f"it takes one with each update of {pieces} batches: only 1/{pieces} of the schedule "
            "is run. Make it for the number of updates.",
            at,
        )
    elif times == 0 and fewest <= steps <= most and _is_of_epochs(epochs, scheduler):
        judgement.note(
            SCHEDULE,
            f"{kind} is made for {steps} steps, as many as there are updates in all epochs, but "
            f"it takes one with each of {len(lengths)} epochs. {_CURE}",
            at,
        )


def _note_rise(steps: int, total: int, judgement: Judgement, at: SourceLine) -> None:
    """Note a cosine that has come down before the training ends."""
    if total - steps > max(1.0, _UP * total):
        judgement.note(
            SCHEDULE,
            f"CosineAnnealingLR has its lowest rate after {steps} of {total} steps, and then the "
            "rate goes up again. Set T_max to the number of its steps, or use "
            "CosineAnnealingWarmRestarts.",
            at,
        )


def _usual(epochs: Epochs, scheduler: Scheduler) -> tuple[int, int] | None:
    """Return how many backwards an update usually has, and how many steps of a scheduler.

    None with fewer than two updates.
    """
    pieces: Counter[int] = Counter()
    times: Counter[int] = Counter()
    steps = 0
    for event in epochs.events:
        if isinstance(event, Scheduled) and event.scheduler == scheduler.number:
            steps += 1
        elif isinstance(event, Updated):
            if pieces:
                times[steps] += 1
            pieces[len(event.backwards)] += 1
            steps = 0
    if not times:
        return None
    return max(pieces.most_common(1)[0][0], 1), times.most_common(1)[0][0]


def _batches(epochs: Epochs, shown: bool = False) -> list[int]:
    """Return how many batches each epoch has that is trained on; nothing if it is not known.

    Or how many a library's loop is ``shown``.
    """
    loaders = [epochs.loaders[loader] for loader, _ in _ended(epochs)]
    lengths = [loader.shown if shown else loader.batches for loader in loaders]
    return [n for n in lengths if n is not None] if None not in lengths else []


def _ended(epochs: Epochs) -> list[tuple[int, int]]:
    """Return the loader and the iterator of each epoch that has ended, and is trained on.

    Lightning exhausts no iterator: it takes as many batches as there are.
    """
    given = Counter((e.loader, e.iterator) for e in epochs.events if isinstance(e, Batch))
    ends = {(e.loader, e.iterator) for e in epochs.events if isinstance(e, Exhausted)}
    ends |= {(loader, n) for (loader, n), k in given.items() if k == epochs.loaders[loader].shown}
    return [each for each in sorted(ends) if each[0] in epochs.training_loaders]


def _steps_of(epochs: Epochs, scheduler: Scheduler) -> list[Scheduled]:
    """Return the steps of a scheduler."""
    steps = (event for event in epochs.events if isinstance(event, Scheduled))
    return [event for event in steps if event.scheduler == scheduler.number]


def _is_of_epochs(epochs: Epochs, scheduler: Scheduler) -> bool:
    """Return whether a scheduler takes one step with each of several epochs."""
    return len(_steps_of(epochs, scheduler)) == len(_batches(epochs)) > 1


def _note_early_ends(epochs: Epochs, judgement: Judgement) -> None:
    """Note schedulers that are stepped with each batch, and end within the first epoch."""
    batches = max(
        (x.batches or 0 for x in epochs.loaders if x.number in epochs.training_loaders), default=0
    )
    updates = len(epochs.of(Updated))
    for kind in dict.fromkeys(e.kind for e in epochs.events if isinstance(e, Scheduled)):
        steps = [e for e in epochs.events if isinstance(e, Scheduled) and e.kind == kind]
        vanishes = _vanishes(steps)
        if vanishes is None or not _with_each_batch(epochs, steps):
            continue
        # Half of what was seen comes behind: the script is not just at its end.
        if 2 * vanishes <= updates and 2 * vanishes <= batches:
            judgement.note(
                SCHEDULE,
                f"{kind} is stepped with each batch, and the learning rate is almost zero "
                f"after {vanishes} of the {batches} batches of the first epoch. Step it once an "
                "epoch, or count its steps in batches.",
                steps[0].at,
            )


def _vanishes(steps: list[Scheduled]) -> int | None:
    """Return after how many steps the rate has vanished; None if it does not."""
    largest = 0.0
    for number, step in enumerate(steps):
        rate = max(step.rates, default=0.0)
        if rate <= _VANISHED * largest:
            return number + 1
        largest = max(largest, rate)
    return None


def _with_each_batch(epochs: Epochs, steps: list[Scheduled]) -> bool:
    """Return whether a scheduler is stepped more often than epochs end."""
    return len(steps) > len(_ended(epochs)) + 1
