"""The first difference of two runs over whole epochs: in words, with the line in each script."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from symmetry.comparison.epochs.pooled import POOLED, Pooled
from symmetry.comparison.epochs.segments import Numbers, Segment, position
from symmetry.comparison.outcome import FirstDifference
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.events import (
    Backward,
    Batch,
    Called,
    Cleared,
    Clipped,
    Epochs,
    LoopEvent,
    Measured,
    Restored,
    Scheduled,
    Switched,
    Updated,
)

Pair = tuple[Epochs, Epochs]  # the reference's run, and the other's


class _Act(NamedTuple):
    """The effect of an event, in a form that is the same in two scripts that do the same."""

    words: str
    facts: tuple[object, ...] = ()


def first_start(runs: Pair) -> FirstDifference | None:
    """Return that two scripts begin from other parameters, if they do."""
    mine, theirs = (run.start for run in runs)
    for (name, digest), (other, its) in zip(mine, theirs, strict=False):
        if digest != its:
            which = name if name == other else f"{other}, the reference's {name}"
            text = f"they begin from other numbers: {which}"
            return FirstDifference("start", None, None, None, 0, text)
    if len(mine) != len(theirs):
        text = f"they begin with {len(theirs)} parameters, the reference with {len(mine)}"
        return FirstDifference("start", None, None, None, 0, text)
    return None


def first_event(
    runs: Pair, segments: tuple[Sequence[Segment], Sequence[Segment]], fitting: int
) -> FirstDifference:
    """Return the first batch or update that differs, or the end of one run."""
    a, b = (s[fitting] if fitting < len(s) else None for s in segments)
    mine, theirs = (None if s is None else s.anchor for s in (a, b))
    ends = [len(run.events) if s is None else s.index for run, s in zip(runs, (a, b), strict=True)]
    step = 1 + sum(isinstance(segment.anchor, Updated) for segment in segments[0][:fitting])
    return _first(runs, (ends[0], ends[1]), (mine, theirs), *_unlike(runs, mine, theirs), step)


def first_number(
    runs: Pair, segments: tuple[Segment, Segment], ratios: Numbers, limit: float
) -> FirstDifference:
    """Return the first number of a segment that deviates by more than the limit."""
    over = [key for key, value in ratios.items() if value > limit]
    measured = [[segment.kinds[kind][place] for kind, place, _ in over] for segment in segments]
    order = segments[1].measured
    nth = min(range(len(over)), key=lambda n: order.index(measured[1][n]))
    key, mine, theirs = over[nth], measured[0][nth], measured[1][nth]
    numbers = [segment.numbers[key] for segment in segments]
    what = {
        "forward": f"the output of {theirs.name}",
        "loss": f"the loss, {theirs.name},",
        POOLED: f"the loss of the evaluation, {theirs.name},",
        "update": f"the parameters after the update by {theirs.name}",
    }[theirs.phase]
    text = (
        f"{what} is {_told(numbers[1], numbers[0])}, the reference's {_told(*numbers)} "
        f"(deviation by response {ratios[key]:.2g}, limit {limit:g})"
    )
    places = [run.events.index(_seen(e)) for run, e in zip(runs, (mine, theirs), strict=True)]
    step = theirs.update + (theirs.phase != "update")
    phase = "loss" if theirs.phase == POOLED else theirs.phase
    return _first(runs, (places[0], places[1]), (mine, theirs), phase, text, step)


def _seen(measured: Measured) -> Measured:
    """Return the event itself, or the last one of those that were pooled."""
    return measured.last if isinstance(measured, Pooled) else measured


def _told(number: float, other: float) -> str:
    """Return a number with the digits that distinguish it from another one."""
    texts = (f"{number:.{n}g}" for n in (4, 6, 9, 12))
    return next((t for t in texts if float(t) != float(f"{other:.{len(t)}g}")), repr(number))


def _first(
    runs: Pair,
    ends: tuple[int, int],
    events: tuple[LoopEvent | None, LoopEvent | None],
    phase: str,
    text: str,
    step: int,
) -> FirstDifference:
    """Return a difference with its line, and with what one script alone did before it."""
    cause, theirs, mine = _cause(runs, ends)
    lines = [NOWHERE if event is None else event.at for event in events]
    at = theirs if theirs.file else lines[1]
    reference = mine if cause else lines[0]
    before = f"; before that, {cause}" if cause else ""
    where = (phase, None, *at.reference, step, f"{text}{before}")
    return FirstDifference(*where, *reference.reference)


def _unlike(runs: Pair, mine: LoopEvent | None, theirs: LoopEvent | None) -> tuple[str, str]:
    """Return the phase and the words for two anchors that do not fit."""
    if mine is None or theirs is None:
        ended = runs[1 if theirs is None else 0].ended
        goes, ends = ("it", "the reference") if mine is None else ("the reference", "it")
        going = mine or theirs
        return "loop", f"{goes} goes on with {_words(going)}, where {ends} has ended ({ended})"
    if isinstance(mine, Batch) and isinstance(theirs, Batch):
        what = f"batch {theirs.number} of the loader made at {runs[1].loaders[theirs.loader].at}"
        if mine.shapes != theirs.shapes:
            shapes = [", ".join(batch.shapes) for batch in (theirs, mine)]
            return "data", f"{what} is {shapes[0]}, the reference's {shapes[1]}"
        if position(mine) != position(theirs):
            its = f"batch {mine.number} of the loader made at {runs[0].loaders[mine.loader].at}"
            return "loop", f"it takes {what}, the reference {its}"
        return "data", f"they do not see the same data: {what} holds other numbers"
    if isinstance(mine, Updated) and isinstance(theirs, Updated):
        rates = [", ".join(f"{rate:.6g}" for rate in e.rates) for e in (theirs, mine)]
        number = theirs.update
        return "update", f"the learning rate of update {number} is {rates[0]}, not {rates[1]}"
    return "loop", f"it goes on with {_words(theirs)}, the reference with {_words(mine)}"


def _words(event: LoopEvent | None) -> str:
    return "an update" if isinstance(event, Updated) else "a batch"


def _cause(runs: Pair, ends: tuple[int, int]) -> tuple[str, SourceLine, SourceLine]:
    """Return in words the act that one script lacks, with both lines."""
    mine, theirs = (
        [(act, event) for event in run.events[:end] if (act := _act(event, run)) is not None]
        for run, end in zip(runs, ends, strict=True)
    )
    matcher = SequenceMatcher(None, [a for a, _ in mine], [a for a, _ in theirs], autojunk=False)
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        its = theirs[b] if b < b_end else None
        references = mine[a] if a < a_end else None
        texts = []
        if its is not None:
            texts.append(f"{its[1].at}: {its[0].words}")
        if references is not None:
            texts.append(f"the reference at {references[1].at}: {references[0].words}")
        return (
            ("only " if len(texts) == 1 else "") + ", ".join(texts),
            its[1].at if its else NOWHERE,
            references[1].at if references else NOWHERE,
        )
    return "", NOWHERE, NOWHERE


def _act(event: LoopEvent, run: Epochs) -> _Act | None:
    """Return what an event does that may change numbers later; None if it does no such thing."""
    match event:
        case Batch():
            return _Act("a batch", (event.loader, event.number))
        case Updated():
            return _Act("an update", (event.optimizer,))
        case Backward():
            return _Act("a backward")
        case Called():
            name = run.models[event.model].name
            active = len(event.dropouts), len(event.statistics)
            mode = "training" if event.training else "evaluation"
            return _Act(f"{name} is called in {mode} mode", active)
        case Switched():
            name = run.models[event.model].name
            return _Act(f"{name}.{'train' if event.training else 'eval'}()")
        case Scheduled():
            return _Act(f"{event.kind} steps")
        case Clipped():
            return _Act(f"gradients are clipped to {event.limit:g}")
        case Cleared():
            return _Act("gradients are cleared")
        case Restored():
            return _Act("tensors are written into a model")
    return None
