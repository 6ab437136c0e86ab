"""Comparing trainings with a reference: names and starts, both precisions, and the place."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Sequence

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.comparison.judge import Judged, judge
from symmetry.comparison.options import Options
from symmetry.comparison.outcome import Compared, First, Other, Ratio, Result
from symmetry.comparison.place import place
from symmetry.comparison.recorded import Recorded, Recording
from symmetry.comparison.side import Here, Side
from symmetry.trainings.start import DRAWS, MORE_DRAWS, THRESHOLDS
from symmetry.trainings.training import TrainingTarget
from symmetry.units.state import identical


class Reference:
    """The training that others are compared with: its sides, each run once."""

    def __init__(self, training: TrainingTarget, options: Options) -> None:
        self.name, self._training, self._options = training.name, training, options
        self._sides: dict[tuple[str, int, bool, bool], Here] = {}

    def side(
        self, dtype: str, *, steps: int = 0, means: bool = False, watched: bool = False
    ) -> Here:
        """Return it in one precision; what it raises passes through."""
        steps = steps or self._options.steps
        key = dtype, steps, means, watched
        if key not in self._sides:
            tell, seed = self._options.tell, self._options.seed
            side = Here(
                *(self._training, dtype, seed, steps, str, tell),
                means=means,
                watched=watched,
                reseeded=self._options.reseeded,
            )
            if not watched:
                _must_repeat(side)
            self._sides[key] = side
        return self._sides[key]


class RecordedReference:
    """A recorded run that trainings are compared with."""

    def __init__(self, name: str, recording: Recording, options: Options) -> None:
        self.name, self._sides, self._steps = name, recording.sides, options.steps

    def side(
        self, dtype: str, *, steps: int = 0, means: bool = False, watched: bool = False
    ) -> Recorded:
        """Return what was recorded, as written or promoted: it has been watched."""
        del means, watched
        if dtype not in self._sides:
            raise TrainingError(f"it was not recorded in {dtype}")
        return self._sides[dtype].first(steps or self._steps)


def compare_trainings(
    reference: Reference | RecordedReference, others: Sequence[TrainingTarget], options: Options
) -> Compared:
    """Compare each of the others with the reference.

    Raises ``SymmetryError`` if the reference does not run or does not repeat itself, or if there is
    no parameter in common.
    """
    dtypes = []
    for dtype in options.dtypes:
        try:
            reference.side(dtype)
            dtypes.append(dtype)
        except TrainingError as error:
            if dtype == options.dtypes[0]:
                raise SymmetryError(f"the reference does not run: {error}") from error
    found = tuple(_Pair(reference, other, options, dtypes).compared() for other in others)
    return Compared(reference.name, found)


def _must_repeat(side: Here) -> None:
    for step, (a, b) in enumerate(zip(side.kept, side.run(), strict=True), start=1):
        one, again = a.state, b.state
        for name, array in one.items():
            if name not in again or not identical({name: array}, again):
                raise SymmetryError(
                    f"{side.name} does not repeat itself: a second run gives another {name} after "
                    f"step {step}; what it draws needs a seed"
                )


class _Pair:
    """A training, and the reference that it is compared with."""

    def __init__(
        self,
        reference: Reference | RecordedReference,
        training: TrainingTarget,
        options: Options,
        dtypes: Sequence[str],
    ) -> None:
        self._reference, self._training, self._options = reference, training, options
        self._dtypes = dtypes
        self._notes: dict[str, None] = {}
        self._ratios: tuple[Ratio, ...] = ()
        self._only: tuple[tuple[str, ...], tuple[str, ...]] = (), ()

    def compared(self) -> Other:
        """Compare them in all precisions; an error of the training is the outcome."""
        name, results = self._training.name, []
        differ: list[tuple[Result, bool]] = []
        for dtype in self._dtypes:
            try:
                result, means = self._result(dtype)
            except TrainingError as error:
                if dtype == self._dtypes[0]:
                    self._options.progress.failed(str(error))
                    return Other(name, same=False, error=str(error))
                why = f"it does not run in {dtype}: {error}"
                result, means = Result(dtype, None, None, None, THRESHOLDS[dtype], note=why), False
            results.append(result)
            if result.differs:
                differ.append((result, means))
        judged = any(result.ratio is not None for result in results)
        first = self._first(differ)
        if differ and not any(r.dtype == "float64" for r, _ in differ):
            self._tell_precision(results)
        return Other(
            *(name, not differ if judged else None, first, tuple(results), *self._only),
            *(tuple(self._notes), "", self._ratios),
        )

    def _result(self, dtype: str) -> tuple[Result, bool]:
        """Judge in one precision; return whether with the means of random operations."""
        reference = self._reference.side(dtype)
        other = self._side(reference)
        judged = self._judged(reference, other)
        if not judged.result.differs or not self._draws(dtype):
            return judged.result, False
        quiet = self._reference.side(dtype, means=True)
        again = judge(quiet, self._side(quiet))
        if again.result.differs or again.result.ratio is None:
            return judged.result, False
        self._notes["compared with the means of random operations: they draw other numbers"] = None
        return again.result, True

    def _judged(self, reference: Side, other: Here) -> Judged:
        self._must_fit(reference, other)
        judged = judge(reference, other)
        self._tell_names(reference, other)
        return judged

    def _draws(self, dtype: str) -> bool:
        """Return whether modules of either draw random numbers."""
        quiet = self._reference.side(dtype, means=True)
        if not isinstance(quiet, Here):
            return False  # it cannot be run again
        other = self._side(quiet)
        deque(other.run(), maxlen=0)
        return bool(quiet.random or other.random)

    def _side(self, reference: Side, *, watched: bool = False) -> Here:
        """Return the training as it runs from the reference's start, for as many steps."""
        o, steps = self._options, len(reference.kept)
        return Here(
            *(self._training, reference.dtype, o.seed, steps, o.renamed, o.tell),
            given=None if o.own_start else reference.start,
            means=reference.means,
            watched=watched,
            reseeded=o.reseeded,
        )

    def _must_fit(self, reference: Side, other: Here) -> None:
        """Refuse what cannot begin from the same parameters; tell what begins otherwise."""
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
        if not identical({n: mine[n] for n in names}, theirs):
            which = "they begin from other numbers by themselves"
            told = "" if self._options.own_start else "; both were given the reference's"
            self._notes[f"{which}{told}"] = None

    def _tell_names(self, reference: Side, other: Here) -> None:
        mine, theirs = reference.held, other.held
        self._only = tuple(sorted(mine - theirs)), tuple(sorted(theirs - mine))

    def _tell_precision(self, results: Sequence[Result]) -> None:
        judged = [r for r in results if r.dtype == "float64" and r.ratio is not None]
        if judged:
            note = (
                "in float32 only: precision, not the method (a gradient scaler is off in float64)"
            )
            self._notes[note] = None

    def _first(self, differ: Sequence[tuple[Result, bool]]) -> First | None:
        """Return the first difference, in float64 where there is one: it sees more."""
        for result, means in reversed(differ):
            steps = result.step or 1
            reference = self._reference.side(result.dtype, steps=steps, means=means, watched=True)
            other = self._side(reference, watched=True)
            # That they differ is known; where they do, float64 shows with few draws.
            most = DRAWS if result.dtype == "float64" else MORE_DRAWS
            judged = judge(reference, other, most)
            self._ratios = tuple(
                Ratio(step, key.phase, key.name, found)
                for step, ratios in enumerate(judged.ratios, start=1)
                for key, found in ratios.items()
            )
            if (first := place(reference, other, judged.ratios)) is not None:
                return first
        return None
