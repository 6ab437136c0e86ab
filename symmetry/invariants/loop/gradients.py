"""``loop/gradients``: an update reads each gradient before it is cleared, and what clips it.

A backward counts as lost if all gradients that it left are cleared before any update, scaler, clip
or line of the user's reads them. A backward that also reaches other leaves may be an attack on the
inputs, and is not judged. Only a line that does so again and again is reported.

No update reads the gradients of parameters that a script unfreezes where the optimiser was made
before, of those that required a gradient. Give them to it by ``optimizer.add_param_group(...)``.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from symmetry.invariants.loop.clips import CLIPS, judge_clips
from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.measurement import LEFT_GRADIENTS
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Backward, Cleared, Epochs, Exhausted, Updated
from symmetry.units.words import count

WINDOW = NoteKind(
    "loop/window",
    meaning="At the end of an epoch gradients are left that no update has read, and they are "
    "cleared, as with accumulation over a number that does not divide the batches. Update with the "
    "last batch as well.",
)
_AGAIN = 2  # times that a line has to do it


def gradients(epochs: Epochs) -> Judgement:
    """Judge the backwards and the clips of a run."""
    judgement = Judgement()
    judgement.applies = bool(epochs.of(Backward))
    judgement.why = "" if judgement.applies else "it calls no backward()"
    _judge_lost(epochs, judgement)
    _judge_unread(epochs, judgement)
    _judge_leftover(epochs, judgement)
    _judge_unfrozen(epochs, judgement)
    judge_clips(epochs, judgement)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/gradients",
        statement="gradients are clipped and read by an update before they are cleared",
        reason="a backward or a clip that no update reads does nothing",
        witness="a backward",
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
                f"has read them, {len(cleared)} times in {len(backwards)} backwards: what it "
                f"computes is lost. {_cure(missed.get(at))}",
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
        f"The update behind it ({missed}) finds no gradient in what it holds, so the loss does not "
        "reach that: leave out detach(), no_grad() or item() on the way."
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


def _judge_unfrozen(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse parameters that are unfrozen, and that no optimiser holds."""
    for each in epochs.unfrozen:
        if each.updates >= _AGAIN:
            more = f" and {len(each.names) - 1} more" if len(each.names) > 1 else ""
            judgement.accuse(
                f"{each.names[0]}{more} of {each.model} were frozen at first, have gradients here, "
                "and no optimiser holds them: they stay as they are. Give them to it by "
                "optimizer.add_param_group(...) when they are unfrozen, or from the start.",
                each.at,
            )
