"""Judging two scripts over whole epochs: which events differ, and numbers by their response."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np

from symmetry.base.errors import SymmetryError
from symmetry.comparison.epochs.first import first_event, first_number, first_start
from symmetry.comparison.epochs.pooled import Kinds, in_pieces, pooled
from symmetry.comparison.epochs.segments import (
    Key,
    Numbers,
    Segment,
    common,
    gaps,
    segments,
    unlike,
)
from symmetry.comparison.outcome import Whole
from symmetry.law.judge import LARGEST_RESPONSE, Ratios, judge, ratio
from symmetry.training import frameworks
from symmetry.training.events import NOT_COMPILED, Called, Epochs, Updated
from symmetry.training.response import DRAWS, MORE_DRAWS, THRESHOLDS
from symmetry.training.start import ATTEMPTS
from symmetry.training.target import Training

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
