"""``resume/state``: a resumed script has the state that it had when it was saved.

Example: a checkpoint with ``"model"`` and ``"optimizer"``, and a schedule that is not in it. The
resumed run warms up once more. Save the state of the schedule as well, and load it.

The script is run with its own arguments, and its files are copied behind a save, as a kill would
leave them. It is run once more with the arguments of ``--resume-with``, from these files. Before
its first forward it has to hold the same bits as the first run at that place: the parameters that
training has moved, the state of optimisers, buffers, the scale of losses, and averages of weights.
The learning rates of all further updates are compared as well, and the first loss if both runs
compute it from the same batch under the same random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.resume.resumed import place_of, resume_invariant, save_of
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Called, Measured, Saved
from symmetry.training.resumed_runs import (
    Average,
    Digests,
    HeldState,
    ObservedRun,
    ResumedRuns,
    Resumption,
)
from symmetry.units.words import count

RANDOM = NoteKind(
    "resume/random",
    meaning="The state of a random generator is not saved, so noise such as dropout is drawn anew "
    "in the resumed run. Save it if resumed runs have to repeat exactly.",
    unless=("resume/order",),
)
HALF_WRITTEN = NoteKind(
    "resume/half-written",
    meaning="A save writes over the file of the save before. A kill meanwhile leaves half of it, "
    "and no other file to go on from. Write to another file first, and rename it with os.replace.",
)
_BEFORE = 3  # lines before a save, in which its condition stands
_SAME_LOSS = 1e-3  # relative: one batch after loading, whose numbers may be added in another order
_SAME_RATE = 1e-6  # relative: of schedules that are computed in another way after loading


def state(runs: ResumedRuns, judgement: Judgement) -> None:
    """Compare what each resumed run begins with, and its learning rates."""
    for resumption in runs.resumptions:
        differences = [*_differences(resumption, same_arguments=runs.same_arguments)]
        differences = differences or [*filter(None, [_loss(resumption) or _best(resumption)])]
        if differences:
            text = f"{place_of(resumption)}: {differences[0]}"
            if len(differences) > 1:
                text = f"{text} Besides: {' '.join(differences[1:])}"
            judgement.accuse(text, save_of(resumption))
            break
        _note_random(resumption, judgement)
    if (half := runs.half_written) is not None:
        judgement.note(
            HALF_WRITTEN,
            f"this save writes over {half.file}: a kill meanwhile leaves half of it, and the "
            f"script cannot be resumed from that ({half.failure}). Write to another file first, "
            "and rename it with os.replace.",
            half.at,
        )


INVARIANT = resume_invariant(
    Statement(
        name="resume/state",
        statement="a resumed script has the state that it had when it was saved",
        reason="an interruption is no part of a training",
        witness="a save that the script was resumed from",
        cause="a state is not saved, or not loaded",
        cure="Save and load it with the model.",
        targets="scripts that save, with --resume-with",
        failure="goes another way once it is resumed",
        notes=(RANDOM, HALF_WRITTEN),
    ),
    state,
)


def _differences(resumption: Resumption, *, same_arguments: bool) -> Iterator[str]:
    """Yield what differs in a sentence each, the most important first."""
    position = resumption.position
    if position is None:
        yield _other_parameters(resumption)
        return
    saved, mine = resumption.before.held[position], resumption.after.held[0]
    yield from _optimizers(resumption, position)
    if same_arguments:
        yield from _rates(resumption, position)
    if len(saved.scales) == len(mine.scales) and saved.scales != mine.scales:
        yield (
            f"the scale of the loss is {_either(mine.scales)} instead of {_either(saved.scales)}: "
            "save the state of the scaler as well, and load it."
        )
    yield from _averages(resumption, position)
    yield from _buffers(resumption, position)


def _other_parameters(resumption: Resumption) -> str:
    """Say which parameters are not those that were saved."""
    average, mine = resumption.average, {*resumption.after.held[0].parameters.values()}
    if average is not None:
        return (
            f"training goes on with the numbers of an average ({average.name}) in place of the "
            "parameters: save both, and load each into its own place."
        )
    from_save = resumption.partly_from or resumption.saved
    held = resumption.before.held[from_save].parameters
    others = sorted(name for name in resumption.moved if held[name] not in mine)
    return (
        f"{len(others)} of {count(len(resumption.moved), 'trained tensor')} are not those that "
        f"were saved, the first is {others[0]}: save and load all that is trained."
    )


def _optimizers(resumption: Resumption, position: int) -> Iterator[str]:
    saved = resumption.before.held[position].optimizers
    mine = resumption.after.held[0].optimizers
    other = sorted(_lost(saved, mine, by_name=resumption.before.by_name))
    if other and not mine:
        yield (
            f"the optimiser has no state, and had {other[0]}: save the state of the optimiser as "
            "well, and load it."
        )
    elif other:
        yield (
            f"{resumption.before.epochs.words.state} is another one in {len(other)} of "
            f"{count(len(saved), 'entry', 'entries')}, the first is {other[0]}."
        )


def _lost(saved: Digests, mine: Digests, *, by_name: bool) -> Iterator[str]:
    """Yield the names of what is another one: by its name, or where no other one has its bits."""
    there = {*mine.values()}
    for name, value in saved.items():
        if mine[name] != value if by_name and name in mine else value not in there:
            yield name


def _rates(resumption: Resumption, position: int) -> Iterator[str]:
    """Yield that learning rates differ, as far as they do not follow from other batches."""
    before, after = resumption.before, resumption.after
    theirs, mine = before.updates[position:], after.updates
    by_scores = before.follows_scores or not before.epochs.schedulers
    names = before.arguments  # which may be computed from the batch
    compared = zip(theirs, mine, strict=False)
    for number, (expected, found) in enumerate(compared, 1):
        if by_scores and (number > 1 or names) and not _reads_the_same(resumption, position):
            return
        if expected.optimizer != found.optimizer or names != after.arguments:
            return
        for place, (a, b) in enumerate(zip(expected.rates, found.rates, strict=False)):
            if not (math.isclose(a, b, rel_tol=_SAME_RATE) or a == b or math.isnan(a)):
                rate = f"argument {names[place]}" if names else "learning rate"
                at = resumption.earlier + position + number
                yield (
                    f"the {rate} of update {at} is {b:.3g} instead of {a:.3g}: "
                    f"{_cure_of_rates(before)}"
                )
                return


def _cure_of_rates(before: ObservedRun) -> str:
    """Return how a resumed run gets its learning rates."""
    keys = {key for event in _saves(before) for key in event.keys}
    if before.epochs.schedulers and any("sched" in key.lower() for key in keys):
        return "save the schedule behind its step, where the resumed run goes on, and load it."
    return "save the state of the schedule, or the number of updates, as well, and load it."


def _reads_the_same(resumption: Resumption, position: int) -> bool:
    before, after = resumption.before, resumption.after
    theirs, mine = before.reads[before.reads_before(position) :], after.reads
    return all(a.samples == b.samples for a, b in zip(theirs, mine, strict=False))


def _averages(resumption: Resumption, position: int) -> Iterator[str]:
    """Yield that an average of the weights is not the one that was saved."""
    held = resumption.before.held
    following = {each.number for each in _next_averages(held, position) if each.follows}
    mine = {each.tensors for each in resumption.after.held[0].averages}
    known = {digest for each in held.values() for digest in each.parameters.values()}
    for average in held[position].averages:
        # A copy of the weights of some update, as the best ones, is no average.
        is_copy = known.issuperset(average.tensors)
        if average.number in following and average.tensors not in mine and not is_copy:
            yield (
                f"the average of the weights ({average.name}) is not the one that was saved: save "
                "it as well, and load it."
            )
            return


def _next_averages(held: Mapping[int, HeldState], position: int) -> tuple[Average, ...]:
    """Return what may be averages at the next place where they were looked for."""
    later = (n for n in sorted(held) if n > position)
    following = held.get(next(later, position))
    return () if following is None else following.averages


def _buffers(resumption: Resumption, position: int) -> Iterator[str]:
    first = resumption.before.held[0].buffers
    saved, mine = resumption.before.held[position].buffers, resumption.after.held[0].buffers
    moved = {name: value for name, value in saved.items() if first.get(name) != value}
    other = sorted(_lost(moved, mine, by_name=resumption.before.by_name))
    if other:
        yield f"the buffer {other[0]} is not the one that was saved: save and load it as well."


def _loss(resumption: Resumption) -> str:
    """Say that the first loss is another one, where it should be the same."""
    before, after, position = resumption.before, resumption.after, resumption.position or 0
    theirs, mine = before.reads[before.reads_before(position) :][:1], after.reads[:1]
    same_noise = before.held[position].random == after.held[0].random
    if not (theirs and mine and theirs[0].samples == mine[0].samples and same_noise):
        return ""
    expected, found = _first_loss(before, position), _first_loss(after, 0)
    if math.isclose(expected, found, rel_tol=_SAME_LOSS) or math.isnan(expected + found):
        return ""
    return (
        f"its first loss is {found:.4g} instead of {expected:.4g}, from the same batch: something "
        "else that the loss depends on is not restored, such as a count of updates."
    )


def _best(resumption: Resumption) -> str:
    """Say that the best score so far is another one: a resumed run keeps what is no better.

    Both runs are the same up to there, and only the resumed one saves at a line about the best.
    """
    before, after, position = resumption.before, resumption.after, resumption.position
    if position is None or not _reads_the_same(resumption, position):
        return ""
    both = min(len(before.updates) - position, len(after.updates))
    theirs = {(each.at, each.update - position) for each in _saves(before)}
    for each in _saves(after):
        is_new = 0 < each.update < both and (each.at, each.update) not in theirs
        if is_new and _is_of_the_best(each.at):
            return (
                f"behind update {resumption.earlier + position + each.update} it saves at "
                f"{each.at}, as the run without an interruption does not: the best score so far "
                "is lost. Save it as well, and load it."
            )
    return ""


def _saves(run: ObservedRun) -> Iterator[Saved]:
    return (event for event in run.epochs.events if isinstance(event, Saved))


def _is_of_the_best(at: SourceLine) -> bool:
    """Return whether a line, or one of those before it, names the best."""
    lines = (replace(at, line=number) for number in range(max(at.line - _BEFORE, 1), at.line + 1))
    return any("best" in line.source.lower() for line in lines)


def _first_loss(run: ObservedRun, updates: int) -> float:
    """Return the first loss behind some updates; nan if it is not known."""
    if updates in run.losses:
        return run.losses[updates]
    for event in run.epochs.events[run.held[updates].event :]:
        if isinstance(event, Measured) and event.phase == "loss" and event.name == "backward":
            return event.values[0] if len(event.values) == 1 else math.nan
    return math.nan


def _note_random(resumption: Resumption, judgement: Judgement) -> None:
    """Note that the noise of a resumed run is other noise."""
    position = resumption.position or 0
    saved, mine = resumption.before.held[position].random, resumption.after.held[0].random
    calls = (e for e in resumption.after.epochs.events if isinstance(e, Called) and e.gradient)
    dropouts = max((len(call.dropouts) for call in calls), default=0)
    other = [name for name in saved if saved[name] != mine.get(name)]
    if dropouts and other and not judgement.notes:
        judgement.note(
            RANDOM,
            f"{place_of(resumption)} {other[0]} has another state than when it was saved, so that "
            f"other noise is drawn, as for {count(dropouts, 'dropout')}",
            save_of(resumption),
        )


def _either(scales: tuple[str, ...]) -> str:
    return " and ".join(scales) or "none"
