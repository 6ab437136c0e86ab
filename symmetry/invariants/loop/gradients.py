"""``loop/gradients``: an update reads each gradient before it is cleared, and what clips it.

A backward counts as lost if all gradients that it left are cleared before any update, scaler, clip
or line of the user's reads them. A backward that also reaches other leaves may be an attack on the
inputs, and is not judged. Only a line that does so again and again is reported.

No update reads the gradients of parameters that a script unfreezes where the optimiser was made
before, of those that required a gradient, nor those of layers that are replaced later. Give them to
it by ``optimizer.add_param_group(...)``.

A backward that is made for one optimiser may reach the parameters of another one, as the loss of a
critic reaches the generator if its samples are not detached. Clear these gradients before the
backward that is made for the other one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.measurement import LEFT_GRADIENTS
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Backward, Cleared, Clipped, Epochs, Exhausted, Updated
from symmetry.units.words import count

CLIPS = NoteKind(
    "loop/clips",
    meaning="Gradients are clipped before all backwards of an update are done, and then once more, "
    "so that a limit changes how much each micro-batch counts.",
)
_AGAIN = 2  # times that a line has to do it


def judge_clips(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse clips that no update can notice; note those of a part of an update's gradients."""
    read = {number for e in epochs.events if isinstance(e, Updated) for number in e.clips}
    last = max((n for n, e in enumerate(epochs.events) if isinstance(e, Updated)), default=-1)
    lines: dict[SourceLine, list[Clipped]] = defaultdict(list)
    for event in epochs.events[: last + 1]:
        if isinstance(event, Clipped) and math.isfinite(event.limit):
            lines[event.at].append(event)
    for at, clips in lines.items():
        if any(clip.is_exhausted for clip in clips):
            judgement.accuse(
                "this clips nothing: the generator of parameters that it is given was used up "
                "before. Pass model.parameters(), or a list.",
                at,
            )
        elif len(clips) < _AGAIN or any(clip.number in read or clip.is_empty for clip in clips):
            continue
        elif not any(clip.gradients for clip in clips):
            judgement.accuse(
                "this clips nothing: no parameter has a gradient yet. Clip between backward() and "
                "step().",
                at,
            )
        elif all(clip.gradients for clip in clips):
            judgement.accuse(
                "gradients are clipped after step(), and cleared before the next one: no update "
                "notices. Clip between backward() and step().",
                at,
            )
    _note_parts(epochs, judgement)


def _note_parts(epochs: Epochs, judgement: Judgement) -> None:
    """Note lines that clip the gradients of an update so far, and again after more backwards."""
    lines: Counter[SourceLine] = Counter()
    for update in epochs.events:
        if isinstance(update, Updated) and len(update.clips) > 1:
            lines.update(_clipping_parts(epochs, update))
    for at, times in lines.items():
        if times >= _AGAIN:
            judgement.note(
                CLIPS,
                "this clips the gradients of an update before all of its backwards are done, and "
                "then once more with the next ones added: a limit that acts changes how much each "
                "micro-batch counts. Clip once, just before step().",
                at,
            )


def _clipping_parts(epochs: Epochs, update: Updated) -> set[SourceLine]:
    """Return the lines of an update that clip its gradients, and again after a backward."""
    open_lines: dict[SourceLine, bool] = {}  # whether a backward has followed their clip
    found = set()
    for event in epochs.events:
        if isinstance(event, Backward) and event.number in update.backwards:
            open_lines = dict.fromkeys(open_lines, True)
        elif isinstance(event, Clipped) and event.number in update.clips:
            if open_lines.get(event.at):
                found.add(event.at)
            if math.isfinite(event.limit):
                open_lines[event.at] = False
    return found


WINDOW = NoteKind(
    "loop/window",
    meaning="At the end of an epoch gradients are left that no update has read, and they are "
    "cleared, as with accumulation over a number that does not divide the batches. Update with the "
    "last batch as well.",
)


def gradients(epochs: Epochs) -> Judgement:
    """Judge the backwards and the clips of a run."""
    judgement = Judgement()
    judgement.applies = bool(epochs.of(Backward))
    judgement.why = "" if judgement.applies else "it calls no backward()"
    _judge_lost(epochs, judgement)
    _judge_unread(epochs, judgement)
    _judge_leftover(epochs, judgement)
    _judge_leaks(epochs, judgement)
    _judge_unfrozen(epochs, judgement)
    _judge_unheld(epochs, judgement)
    judge_clips(epochs, judgement)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/gradients",
        statement="gradients are clipped and read by an update before they are cleared",
        reason="a backward or a clip that no update reads does nothing",
        witness="a backward",
        cause="zero_grad(), backward(), clipping and step() are not in this order",
        cure="Write zero_grad(), backward(), clipping, step(), in this order.",
        notes=(WINDOW, CLIPS),
    ),
    gradients,
)


def _judge_lost(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse backwards that are cleared unread; note windows that an epoch's end leaves open."""
    backwards = {e.number: (n, e) for n, e in enumerate(epochs.events) if isinstance(e, Backward)}
    lost: dict[SourceLine, list[SourceLine]] = defaultdict(list)
    left: dict[SourceLine, SourceLine] = {}
    missed: dict[SourceLine, SourceLine] = {}  # updates that find no gradient
    for position, event in enumerate(epochs.events):
        for number in event.lost if isinstance(event, Cleared) else ():
            began, backward = backwards[number]
            between = epochs.events[began:position]
            ends = [e for e in between if isinstance(e, Exhausted)]
            empty = [e.at for e in between if isinstance(e, Updated) and not e.backwards]
            if not ends:
                lost[backward.at].append(event.at)
                if empty:
                    missed[backward.at] = empty[0]
            elif not any(end.cut for end in ends):
                left[backward.at] = event.at
    for at, cleared in lost.items():
        if len(cleared) >= _AGAIN:
            judgement.accuse(
                f"the gradients of this backward() are cleared ({cleared[0]}) before any update "
                f"has read them, {len(cleared)} times in {len(backwards)} backwards: its "
                f"result is lost. {_cure(missed.get(at))}",
                at,
            )
    for at, cleared_at in left.items():
        if len(lost[at]) < _AGAIN:
            judgement.note(
                WINDOW,
                "at the end of an epoch gradients are left that no update has read, and they are "
                f"cleared ({cleared_at}). Update with the last batch as well.",
                at,
            )


def _judge_unread(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse gradients that a call computes, and that nothing reads."""
    lines = Counter(e.at for e in epochs.events if isinstance(e, Backward) and not e.is_read)
    for at, times in lines.items():
        if times >= _AGAIN:
            judgement.accuse(
                "the gradients that this computes reach no result, in any of "
                f"{count(times, 'update')}: no parameter moves by them. Hand them to an "
                "optimiser, or leave them out.",
                at,
            )


def _cure(missed: SourceLine | None) -> str:
    """Say what to do about lost gradients, given an update behind the backward without any."""
    if missed is None:
        return "Call zero_grad() behind step(), or before the first backward of an update."
    return (
        f"The update behind it ({missed}) finds no gradient in its parameters, so the loss does "
        "not reach them: leave out detach(), no_grad() or item() on the way."
    )


def _judge_leftover(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse updates that use the gradients of the one before once more, beside new ones."""
    lines: dict[SourceLine, int] = Counter(
        e.at
        for e in epochs.events
        if isinstance(e, Updated) and 0 < len(e.again) < len(e.backwards)
    )
    for at, times in lines.items():
        if times >= _AGAIN:
            judgement.accuse(
                "this update adds gradients that it has used before to the new ones: zero_grad() "
                "is missing, or clears the gradients of other parameters. Call it before each "
                "backward() that begins an update.",
                at,
                LEFT_GRADIENTS,
            )


def _judge_leaks(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse updates that also read the backward that was made for another optimiser.

    A backward is made for the optimiser that reads it first. It leaks into a later update of
    another one if that one's own backward reaches the first one's parameters, too, which never
    read it: the script keeps the two losses apart, but for this direction. Parts of a network that
    both losses are meant to train are reached by more of the other one's loss than by the leak.
    """
    backwards = {e.number: e for e in epochs.events if isinstance(e, Backward)}
    readers: dict[int, set[int]] = defaultdict(set)  # by backward, the optimisers that read it
    held = {each.number: each.held for each in epochs.optimizers}
    updates = [e for e in epochs.events if isinstance(e, Updated)]
    leaks: dict[tuple[SourceLine, SourceLine], list[SourceLine]] = defaultdict(list)
    for update in updates:
        for number in update.backwards:
            readers[number].add(update.optimizer)
    first: dict[int, int] = {}  # by backward, the optimiser that read it first
    for update in updates:
        if len(update.backwards) < 2:
            others, own, mine = [], -1, frozenset[int]()
        else:
            *others, own = update.backwards
            mine = backwards[own].reached & held[update.optimizer]
        for number in others:
            other = first.get(number, update.optimizer)
            leak, for_this = backwards[number], backwards[own]
            if (
                other != update.optimizer
                and other not in readers[own]
                and not for_this.reached.isdisjoint(held[other])
                and mine <= leak.reached
                and leak.at != for_this.at
            ):
                leaks[update.at, leak.at].append(for_this.at)
        for number in update.backwards:
            first.setdefault(number, update.optimizer)
    for (at, leak_at), own_lines in leaks.items():
        if len(own_lines) >= _AGAIN:
            judgement.accuse(
                f"this update also adds the gradients of another optimiser's loss ({leak_at}) to "
                f"those of its own loss ({own_lines[0]}), in {count(len(own_lines), 'update')}. "
                "detach() the input of that loss, or call zero_grad() before the own backward().",
                at,
            )


def _judge_unheld(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse parameters of no module that backwards reach, and that no optimiser holds."""
    for each in epochs.unheld:
        if each.backwards >= _AGAIN and epochs.of(Updated):
            name = each.variable or f"a parameter ({each.shape}) of no module"
            judgement.accuse(
                f"{name} is an nn.Parameter, {count(each.backwards, 'backward')} reach it, and no "
                "optimiser holds it: it stays as it is. Give it to one.",
                each.at,
            )


def _judge_unfrozen(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse parameters that are unfrozen, and that no optimiser holds."""
    for each in epochs.unfrozen:
        if each.updates >= _AGAIN:
            more = f" and {len(each.names) - 1} more" if len(each.names) > 1 else ""
            text = (
                f"{each.names[0]}{more} of {each.model} were frozen at first, have gradients here, "
                "and no optimiser holds them: they stay as they are. Give them to it by "
                "optimizer.add_param_group(...) when they are unfrozen, or from the start."
            )
            if each.is_new:
                text = (
                    f"{each.names[0]}{more} of {each.model} were made after the first update, have "
                    "gradients here, and no optimiser holds them: they stay as they are. Make the "
                    "optimiser anew, or call optimizer.add_param_group(...)."
                )
            judgement.accuse(text, each.at)
