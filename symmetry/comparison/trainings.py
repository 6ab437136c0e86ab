"""Comparing trainings with a reference: names and starts, both precisions, and the place."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.comparison.epochs.whole import WholeSide, compare_whole
from symmetry.comparison.options import ComparisonOptions
from symmetry.comparison.outcome import (
    Compared,
    ComparedTraining,
    DtypeResult,
    FirstDifference,
    Ratio,
)
from symmetry.comparison.place import place
from symmetry.comparison.ratios import Judged, judge_sides
from symmetry.comparison.recorded import RecordingFile, made_with, write
from symmetry.comparison.side import Draws, LiveSide, Side, SideRequest
from symmetry.training.response import DRAWS, MORE_DRAWS, THRESHOLDS
from symmetry.training.start import ATTEMPTS
from symmetry.training.target import Training
from symmetry.units.state import State, identical

Compares = Training | RecordingFile


class Reference:
    """The reference of a comparison: its sides, each run once from each start."""

    def __init__(self, compares: Compares, options: ComparisonOptions) -> None:
        self.name, self.compares, self._options = compares.name, compares, options
        self._sides: dict[tuple[SideRequest, int], LiveSide] = {}

    @cached_property
    def whole(self) -> WholeSide:
        """Its runs over whole epochs."""
        return _whole_side(self.compares, self._options)

    def side(self, asked: SideRequest, given: State | None = None) -> Side:
        """Return the side from its own start, or from the start of a recorded run.

        Raises
        ------
        TrainingError
            If it does not run.
        SymmetryError
            If it does not repeat itself.
        """
        if isinstance(self.compares, RecordingFile):
            return self.compares.side(asked.dtype, asked.steps)
        key = asked, id(given)
        if key not in self._sides:
            self._sides[key] = side = here(self.compares, asked, self._options, given, str)
            if not asked.watched:
                _must_repeat(side)
        return self._sides[key]


def here(
    training: Training,
    asked: SideRequest,
    options: ComparisonOptions,
    given: State | None = None,
    renamed: Callable[[str], str] = str,
) -> LiveSide:
    """Return a side that is run here, from its own start or from another one."""
    own = None if options.own_start else given
    return LiveSide(training, asked, renamed, options.tell, own)


def compare_trainings(
    reference: Compares, others: Sequence[Compares], options: ComparisonOptions
) -> Compared:
    """Compare each of the others, trainings and recorded runs, with the reference.

    Raises
    ------
    SymmetryError
        If the reference does not run or does not repeat itself, or if there is no parameter in
        common.
    """
    first = Reference(reference, options)
    return Compared(
        first.name, tuple(_TrainingPair(first, other, options).compared() for other in others)
    )


def _must_repeat(side: LiveSide) -> None:
    for step, (a, b) in enumerate(zip(side.kept, side.run(), strict=True), start=1):
        one, again = a.state, b.state
        for name, array in one.items():
            if name not in again or not identical({name: array}, again):
                raise SymmetryError(
                    f"{side.name} does not repeat itself: a second run gives another {name} after "
                    f"step {step}; its random numbers need a seed"
                )


class _TrainingPair:
    """A training or a recorded run, and the reference that it is compared with."""

    def __init__(self, reference: Reference, other: Compares, options: ComparisonOptions) -> None:
        self._reference, self._other, self._options = reference, other, options
        self._notes: dict[str, None] = {}
        self._ratios: tuple[Ratio, ...] = ()
        self._watched = ""
        self._only: tuple[tuple[str, ...], tuple[str, ...]] = (), ()
        recordings = [c for c in (reference.compares, other) if isinstance(c, RecordingFile)]
        self._seed, self._steps, self._dtypes = _terms(recordings, options)
        self._reseeded = _reseeded(reference.compares) and _reseeded(other)
        self._notes |= dict.fromkeys(_differences(recordings, self._steps, options))

    def compared(self) -> ComparedTraining:
        """Compare them in all precisions; an error of the training is the outcome."""
        name, results = self._other.name, list[DtypeResult]()
        differ: list[tuple[DtypeResult, Draws]] = []
        for number, dtype in enumerate(self._dtypes):
            draws: Draws = "own"
            try:
                result, draws = self._result(dtype)
            except _ReferenceError as error:
                if not number:
                    raise SymmetryError(f"the reference does not run: {error}") from error
                result = _unjudged(dtype, f"the reference does not run: {error}")
            except TrainingError as error:
                if not number:
                    self._options.progress.failed(str(error))
                    return ComparedTraining(name, same=False, error=str(error))
                result = _unjudged(dtype, f"it does not run in {dtype}: {error}")
            results.append(result)
            if result.differs:
                differ.append((result, draws))
        judged = [result for result in results if result.ratio is not None]
        first = self._first(differ)
        if judged and not differ and self._options.pictured:
            self._look(judged[-1].dtype, self._steps)
        if differ and not any(r.dtype == "float64" for r, _ in differ):
            self._tell_precision(results)
        found = ComparedTraining(
            *(name, not differ if judged else None, first, tuple(results), *self._only),
            *(tuple(self._notes), "", self._ratios, self._watched),
        )
        return self._over_whole_epochs(found) if self._options.whole and found.same else found

    def _over_whole_epochs(self, found: ComparedTraining) -> ComparedTraining:
        """Return the outcome for trainings whose first steps are the same."""
        mine, theirs = self._reference.whole, _whole_side(self._other, self._options)
        try:
            mine.run()
        except TrainingError as error:
            raise SymmetryError(f"the reference does not run: {error}") from error
        try:
            whole = compare_whole(mine, theirs)
        except TrainingError as error:
            return replace(found, same=False, error=str(error))
        return replace(found, same=whole.same, first=whole.first, whole=whole)

    def _result(self, dtype: str) -> tuple[DtypeResult, Draws]:
        """Judge in one precision; return what random operations gave.

        Where trainings differ and draw, they may only draw other numbers: both draw the same ones
        then. Where they draw in other shapes, which cannot be the same numbers, both take the means
        of their draws, if these have the same distributions.
        """
        asked = SideRequest(dtype, self._seed, self._steps, self._reseeded)
        first = self._judged(asked).result
        if not first.differs:
            return first, "own"
        alike = self._sides(asked._replace(draws="same"))
        if not _draw(*alike):
            return first, "own"
        same = judge_sides(*alike, self._nearby(*alike)).result
        if same.ratio is not None and not same.differs:
            self._notes["they draw other random numbers: compared with the same ones"] = None
            return same, "same"
        mine, theirs = (side for side in alike if isinstance(side, LiveSide))
        given, other = [*mine.random_numbers], [*theirs.random_numbers]
        if {*given} != {*other}:
            self._notes[
                f"random operations are given other numbers: {', '.join(other) or 'none'}; the "
                f"reference's {', '.join(given) or 'none'}"
            ] = None
        elif mine.drawn != theirs.drawn:
            plain = self._sides(asked._replace(draws="means"))
            quiet = judge_sides(*plain, self._nearby(*plain)).result
            if quiet.ratio is not None and not quiet.differs:
                self._notes[
                    "compared with the means of random operations, which draw in other shapes; "
                    f"they are given the same numbers ({', '.join(given)}); what multiplies noise "
                    "is not compared"
                ] = None
                return quiet, "means"
        return (first, "own") if same.ratio is None else (same, "same")

    def _judged(self, asked: SideRequest) -> Judged:
        reference, other = self._sides(asked)
        self._must_fit(reference, other)
        judged = judge_sides(reference, other, self._nearby(reference, other))
        for side in (reference, other):
            if isinstance(side, LiveSide) and side.idle and side.dtype == "float32":
                note = (
                    f"{side.name} calls compile(), and {side.idle} finds nothing in it to compile"
                )
                self._notes[note] = None
        mine, theirs = reference.held, other.held
        self._only = tuple(sorted(mine - theirs)), tuple(sorted(theirs - mine))
        return judged

    def _sides(self, asked: SideRequest) -> tuple[Side, Side]:
        """Return both: from the reference's start, or from the start of a recorded run."""
        if isinstance(self._other, RecordingFile):
            other = self._other.side(asked.dtype, asked.steps, self._options.renamed)
            return self._reference_side(asked, other.start), other
        reference = self._reference_side(asked)
        renamed = self._options.renamed
        return reference, here(self._other, asked, self._options, reference.start, renamed)

    def _nearby(self, reference: Side, other: Side) -> Iterator[tuple[Side, Side]]:
        """Yield both from starts close by; a recorded run has but one."""
        own = self._options.own_start
        if own or not (isinstance(reference, LiveSide) and isinstance(other, LiveSide)):
            return
        for draw in range(MORE_DRAWS, MORE_DRAWS + ATTEMPTS - 1):
            start = reference.near(draw)
            yield replace(reference, given=start), replace(other, given=start)

    def _reference_side(self, asked: SideRequest, given: State | None = None) -> Side:
        try:
            return self._reference.side(asked, given)
        except TrainingError as error:
            raise _ReferenceError(str(error)) from error

    def _must_fit(self, reference: Side, other: Side) -> None:
        """Refuse trainings that cannot begin from the same parameters; note other starts."""
        if isinstance(other, LiveSide):
            other.begin()
        mine, theirs = reference.start, other.start
        names = [n for n in mine if n in theirs]
        for name in names:
            if mine[name].shape != theirs[name].shape:
                raise SymmetryError(
                    f"{name} has the shape {mine[name].shape} in {reference.name} and "
                    f"{theirs[name].shape} in {other.name}: they cannot begin from the same numbers"
                )
        if not names:
            some = next(iter(theirs))
            near = difflib.get_close_matches(some, mine, 1, 0) or [*mine][:1]
            raise SymmetryError(
                f"{reference.name} and {other.name} have no parameter in common: the nearest to "
                f"{some} is {', '.join(near)}; --rename 'PATTERN=REPLACEMENT' brings names together"
            )
        if identical({n: mine[n] for n in names}, theirs):
            return
        which = "they begin from other numbers by themselves"
        if self._options.own_start:
            self._notes[which] = None
        elif isinstance(other, LiveSide):
            self._notes[f"{which}; both were given the reference's"] = None
        elif isinstance(reference, LiveSide):
            self._notes[f"{which}; both were given those of {other.name}"] = None
        else:
            raise SymmetryError(
                f"{reference.name} and {other.name} begin from other numbers, and recorded runs "
                "cannot be given the same ones: compare one of them with the training itself"
            )

    def _tell_precision(self, results: Sequence[DtypeResult]) -> None:
        judged = [r for r in results if r.dtype == "float64" and r.ratio is not None]
        if judged:
            note = (
                "in float32 only: precision, not the method (a gradient scaler is off in float64)"
            )
            self._notes[note] = None

    def _first(self, differ: Sequence[tuple[DtypeResult, Draws]]) -> FirstDifference | None:
        """Return the first difference, in float64 if there is one there: it shows more."""
        for result, draws in reversed(differ):
            first = self._look(result.dtype, result.step or 1, draws)
            if first is not None:
                return first
        return None

    def _look(self, dtype: str, steps: int, draws: Draws = "own") -> FirstDifference | None:
        """Watch both; keep the ratios, and return the first difference."""
        asked = SideRequest(dtype, self._seed, steps, self._reseeded, draws, watched=True)
        reference, other = self._sides(asked)
        # That they differ is known; where they do, float64 shows with few draws.
        most = DRAWS if dtype == "float64" else MORE_DRAWS
        ratios = judge_sides(reference, other, most=most).ratios
        self._watched = dtype
        self._ratios = tuple(
            Ratio(step, key.phase, key.name, found)
            for step, each in enumerate(ratios, start=1)
            for key, found in each.items()
        )
        return place(reference, other, ratios)


class _ReferenceError(Exception):
    """The reference does not run."""


def _whole_side(compares: Compares, options: ComparisonOptions) -> WholeSide:
    if isinstance(compares, RecordingFile):
        raise SymmetryError(f"{compares.name} is a recorded run: it has no epochs to compare")
    return WholeSide(compares, options.seed, lambda: options.tell(compares.name, "whole epochs"))


def _draw(reference: Side, other: Side) -> bool:
    """Return whether modules of either draw random numbers; a recorded run cannot be tried."""
    if not (isinstance(reference, LiveSide) and isinstance(other, LiveSide)):
        return False
    deque(other.run(), maxlen=0)
    return bool(reference.random or other.random)


def _unjudged(dtype: str, why: str) -> DtypeResult:
    return DtypeResult(dtype, None, None, None, THRESHOLDS[dtype], note=why)


def _reseeded(compares: Compares) -> bool:
    return compares.reseeded if isinstance(compares, RecordingFile) else not compares.sequential


def _terms(
    recordings: Sequence[RecordingFile], options: ComparisonOptions
) -> tuple[int, int, tuple[str, ...]]:
    """Return the seed, the steps and the dtypes in which a pair can be compared."""
    seed, steps, dtypes = options.seed, options.steps, options.dtypes
    for recording in recordings:
        seed = recording.seed
        steps = min([steps, *(len(side.kept) for side in recording.sides.values())])
        dtypes = tuple(dtype for dtype in dtypes if dtype in recording.sides)
        if not dtypes:
            which = " and ".join(recording.sides)
            raise SymmetryError(f"{recording.name} was recorded in {which} only")
    return seed, steps, dtypes


def _differences(
    recordings: Sequence[RecordingFile], steps: int, options: ComparisonOptions
) -> Iterator[str]:
    """Say in what recorded runs differ from what is run here, or from each other."""
    now = recordings[1].made_with if len(recordings) > 1 else made_with()
    for recording in recordings[:1]:
        for what, value in now.items():
            if (was := recording.made_with.get(what, value)) != value:
                yield f"{what} is {value}, and was {was} when {recording.name} was recorded"
    for recording in recordings:
        if recording.left_out:
            yield f"not recorded: {', '.join(recording.left_out)}"
    if steps < options.steps:
        yield f"{steps} steps were recorded"
    if len({recording.seed for recording in recordings}) > 1:
        yield "they were recorded under other seeds"


def record_training(
    training: Compares, file: Path, options: ComparisonOptions, max_size: float
) -> tuple[str, ...]:
    """Run a training and write all of it into a file; return the names of what is left out.

    Raises
    ------
    SymmetryError
        If the training does not run as written, or the file cannot be written.
    """
    if isinstance(training, RecordingFile):
        raise SymmetryError(f"{training.name} is a recorded run already")
    reference, sides = Reference(training, options), []
    for dtype in options.dtypes:
        asked = SideRequest(dtype, options.seed, options.steps, reseeded=not training.sequential)
        try:
            reference.side(asked)
            side = here(training, asked._replace(watched=True), options)
            if side.kept:  # which runs it
                sides.append(side)
        except TrainingError as error:
            if dtype == options.dtypes[0]:
                raise SymmetryError(f"it does not run: {error}") from error
    return write(file, sides, max_size)
