"""Judging two scripts over whole epochs: which events differ, and numbers by their response.

The first difference is said in words, with the line in each script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from difflib import SequenceMatcher
from functools import partial
from typing import NamedTuple

import numpy as np

from symmetry.base.errors import SymmetryError
from symmetry.comparison.epochs.pooled import POOLED, Kinds, Pooled, in_pieces, pooled
from symmetry.comparison.epochs.segments import (
    Key,
    Numbers,
    Segment,
    common,
    gaps,
    position,
    segments,
    unlike,
)
from symmetry.comparison.outcome import FirstDifference, Whole
from symmetry.law.judge import LARGEST_RESPONSE, Ratios, judge, ratio
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training import frameworks
from symmetry.training.events import (
    NOT_COMPILED,
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
from symmetry.training.response import DRAWS, MORE_DRAWS, THRESHOLDS
from symmetry.training.start import ATTEMPTS
from symmetry.training.target import Training

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


LIMIT = THRESHOLDS["float32"]  # scripts run as they are written
_FAR_LIMITS = (
    1e3  # times the limit: beyond it more runs, which take whole epochs each, change nothing
)
_EPS = float(np.finfo("float32").eps)


class WholeSide:
    """A training that is run over whole epochs, also from starts close by.

    Parameters
    ----------
    training, seed
        The training, and the seed of its random numbers.
    tell
        Called before each run.
    """

    def __init__(self, training: Training, seed: int, tell: Callable[[], None]) -> None:
        self.name = training.name
        self._training, self._seed, self._tell = training, seed, tell
        self._plain: dict[int | None, list[Segment]] = {}
        self._compiles = False
        self._pool({})

    def _pool(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._runs: dict[int | None, list[Segment]] = {}
        self._response: list[Numbers] = []
        self._draws = 0

    def pooling(self, kinds: Kinds) -> WholeSide:
        """Return the same side, and no run again, with some losses of evaluations summed."""
        found = copy(self)
        found._pool(kinds)
        return found

    def epochs(self, draw: int | None = None) -> Epochs:
        """Run it; rounded in another way, from parameters close by, if there is a ``draw``.

        Raises
        ------
        SymmetryError
            If it has no epochs.
        TrainingError
            If it raises before its first update.
        """
        self._tell()
        found = self._training.events(self._seed, draw)
        if found is None:
            whole = f"--whole is for {frameworks.with_epochs()}"
            raise SymmetryError(f"{self.name} has no epochs to compare: {whole}")
        return found

    def run(self, draw: int | None = None) -> list[Segment]:
        """Return the segments of a run."""
        if draw not in self._plain:
            epochs = self.epochs(draw)
            self._plain[draw] = segments(epochs)
            self._compiles |= epochs.compiles
        if draw not in self._runs:
            self._runs[draw] = pooled(self._plain[draw], self._kinds)
        return self._runs[draw]

    def repeats(self, fitting: int) -> bool:
        """Return whether a run from close by does the same up to this segment, and in it."""
        plain, near = self.run(), self.run(0)
        return fitting < common(plain, near) or fitting == len(plain) == len(near)

    def response(self, draws: int) -> list[Numbers]:
        """Return by segment how far each number moves if all is rounded in another way.

        It is infinite where a run that is rounded so does something else.
        """
        plain = self.run()
        unperturbed = self.run(NOT_COMPILED) if self._compiles else plain
        if not self._response:
            self._response = [{k: _EPS * s for k, s in each.scale.items()} for each in plain]
        for draw in range(self._draws, draws):
            near = self.run(draw)
            reached = min(common(plain, unperturbed), common(unperturbed, near))
            for number, response in enumerate(self._response):
                moved = gaps(unperturbed[number], near[number]) if number < reached else {}
                for key in response:
                    response[key] = max(response[key], moved.get(key, math.inf))
        self._draws = max(self._draws, draws)
        return self._response


def compare_whole(reference: WholeSide, other: WholeSide) -> Whole:
    """Compare whole epochs of two scripts: their batches, updates, losses and outputs.

    Raises
    ------
    SymmetryError
        If one of them has no epochs.
    TrainingError
        If one raises before its first update.
    """
    mine, theirs = reference.epochs(), other.epochs()
    if (start := first_start((mine, theirs))) is not None:
        return Whole(same=False, first=start)
    if bool(mine.refused) != bool(theirs.refused):
        name, run = (reference.name, mine) if mine.refused else (other.name, theirs)
        return Whole(same=None, note=f"{name} does not run with short epochs: {run.refused}")
    a, b = reference.run(), other.run()
    fitting = common(a, b)
    pool = in_pieces(a, b, fitting)
    reference, other = reference.pooling(pool.mine), other.pooling(pool.theirs)
    a, b = reference.run(), other.run()
    ratios = _ratios(reference, other, fitting)
    over = next((n for n, each in enumerate(ratios) if _largest([each]) > LIMIT), None)
    if over is not None:
        first = first_number((mine, theirs), (a[over], b[over]), ratios[over], LIMIT)
        return replace(_looked_at(mine, a, ratios[:over]), same=False, first=first)
    left_out = _left_out(a, b, fitting)
    found = replace(_looked_at(mine, a, ratios), left_out=left_out, pooled=pool.words)
    if fitting == len(a) == len(b) or _out_of_time(mine, theirs, fitting, min(len(a), len(b))):
        return found
    if not (reference.repeats(fitting) and other.repeats(fitting)):
        why = "after that rounding leads to other batches or rates"
        return replace(found, ended=why, note=found.note and why)
    return replace(found, same=False, first=first_event((mine, theirs), (a, b), fitting))


def _ratios(reference: WholeSide, other: WholeSide, fitting: int) -> Ratios[Key]:
    """Return deviation by response of all numbers; what exceeds the limit, from close by as well.

    Without any deviation nothing is run again.
    """
    plain = _gaps(reference.run(), other.run(), fitting)
    if not _largest(plain):
        return plain
    measures = (
        partial(_by_response, sides=sides, draws=draws)
        for sides, draws in (
            ((reference,), DRAWS),
            ((reference, other), DRAWS),
            ((reference, other), MORE_DRAWS),
        )
    )
    nearby = (_gaps(reference.run(draw), other.run(draw), fitting) for draw in range(ATTEMPTS - 1))
    return judge(plain, measures, LIMIT, nearby, far=_FAR_LIMITS)


def _gaps(one: Sequence[Segment], other: Sequence[Segment], fitting: int) -> list[Numbers]:
    return [gaps(a, b) for a, b in zip(one[:fitting], other[:fitting], strict=False)]


def _by_response(deviations: list[Numbers], sides: Sequence[WholeSide], draws: int) -> Ratios[Key]:
    """Return the ratios of all numbers that rounding moves by less than 1 %, on all sides."""
    known = [(side.response(draws), [s.scale for s in side.run()]) for side in sides]
    found: Ratios[Key] = []
    for number, each in enumerate(deviations):
        ratios: dict[Key, float] = {}
        for key, gap in each.items():
            pairs = [(response[number][key], scale[number][key]) for response, scale in known]
            if all(moved <= LARGEST_RESPONSE * size for moved, size in pairs):
                ratios[key] = ratio(gap, max(moved for moved, _ in pairs))
        found.append(ratios)
    return found


def _largest(ratios: Sequence[Numbers]) -> float:
    return max((value for each in ratios for value in each.values()), default=0.0)


def _looked_at(reference: Epochs, segments: Sequence[Segment], ratios: Ratios[Key]) -> Whole:
    """Return how far two runs were compared, as if all of it were the same."""
    anchors = [segment.anchor for segment in segments[: len(ratios)]]
    evaluates = {x.number for x in reference.loaders} - reference.training_loaders
    rest = segments[len(ratios) :]
    end = rest[0].index if rest else len(reference.events)
    calls = [event for event in reference.events[:end] if isinstance(event, Called)]
    numbers = sum(map(len, ratios))
    return Whole(
        same=True if numbers else None,
        updates=sum(isinstance(each, Updated) for each in anchors),
        evaluated=sum(c.loader in evaluates or not c.gradient for c in calls),
        numbers=numbers,
        ratio=_largest(ratios) if numbers else None,
        threshold=LIMIT,
        ended=reference.ended,
        note="" if numbers else "no number could be judged",
    )


def _left_out(one: Sequence[Segment], other: Sequence[Segment], fitting: int) -> str:
    """Return in words the first losses or outputs that only one of two runs measured."""
    for mine, theirs in zip(one[:fitting], other[:fitting], strict=False):
        for kind in unlike(mine, theirs):
            events = theirs.kinds.get(kind) or mine.kinds[kind]
            what = "outputs of models" if kind == "forward" else kind
            return f"{what} at {events[0].at}: the other script has not as many there"
    return ""


def _out_of_time(one: Epochs, other: Epochs, fitting: int, shorter: int) -> bool:
    """Return whether two runs fit until the shorter one took too long."""
    return fitting == shorter and (one.is_limited or other.is_limited)
