"""Comparing targets with the first of them, whatever they are; recording one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.checker.threads import one_thread
from symmetry.comparison.options import Options
from symmetry.comparison.outcome import Compared
from symmetry.comparison.recorded import made_with, read, write
from symmetry.comparison.trainings import RecordedReference, Reference, compare_trainings
from symmetry.steps.step import StepTarget
from symmetry.targets.names import RECORDED
from symmetry.targets.resolve import resolve
from symmetry.trainings.training import TrainingTarget

Target = str | Callable[..., Any]


def compare_all(targets: Sequence[Target], options: Options) -> Compared:
    """Compare trainings with the first, which may be the file of a recorded run.

    Raises
    ------
    SymmetryError
        If they are not of one kind, or cannot be compared.
    """
    if len(targets) < 2:
        raise SymmetryError("give at least two trainings: a reference, and one to compare")
    first, *others = map(_resolved, targets)
    trainings = [target for target in others if isinstance(target, TrainingTarget)]
    if len(trainings) < len(others) or isinstance(first, StepTarget):
        raise SymmetryError(
            "a training, or a recorded run of one, is compared with trainings: the recorded run "
            "comes first"
        )
    with _threads(), ExitStack() as ends:
        for training in trainings:
            ends.callback(training.close)
        options.reseeded = not any(training.sequential for training in trainings)
        if isinstance(first, TrainingTarget):
            options.reseeded = options.reseeded and not first.sequential
            ends.callback(first.close)
            return compare_trainings(Reference(first, options), trainings, options)
        return _compare_with_recorded(first, trainings, options)


def record(
    training: TrainingTarget, file: Path, options: Options, max_size: float
) -> tuple[str, ...]:
    """Run a training and write all of it into a file; return the names of what is left out."""
    options.reseeded = not training.sequential
    reference = Reference(training, options)
    sides = []
    with _threads(), closing(training):
        for dtype in options.dtypes:
            try:
                reference.side(dtype)
                sides.append(reference.side(dtype, watched=True))
            except TrainingError as error:
                if dtype == options.dtypes[0]:
                    raise SymmetryError(f"it does not run: {error}") from error
        return write(file, sides, max_size)


def _compare_with_recorded(
    file: Path, trainings: list[TrainingTarget], options: Options
) -> Compared:
    """Compare with a recorded run, under the seed and for the steps that it has."""
    recording = read(file)
    options.seed = recording.seed
    options.reseeded = options.reseeded and recording.reseeded
    steps = min(len(side.kept) for side in recording.sides.values())
    notes = [
        f"{what} is {now}, and was {recording.made_with[what]} when it was recorded"
        for what, now in made_with().items()
        if recording.made_with.get(what, now) != now
    ]
    notes += [f"not recorded: {', '.join(recording.left_out)}"] * bool(recording.left_out)
    notes += [f"{steps} steps were recorded"] * (steps < options.steps)
    options.steps = min(steps, options.steps)
    options.dtypes = tuple(dtype for dtype in options.dtypes if dtype in recording.sides)
    if not options.dtypes:
        raise SymmetryError(f"{file} was recorded in {' and '.join(recording.sides)} only")
    found = compare_trainings(RecordedReference(str(file), recording, options), trainings, options)
    return replace(found, others=tuple(replace(o, notes=(*o.notes, *notes)) for o in found.others))


def _resolved(target: Target) -> StepTarget | TrainingTarget | Path:
    recorded = isinstance(target, str) and target.endswith(RECORDED)
    return Path(str(target)) if recorded else resolve(target)


@contextmanager
def _threads() -> Iterator[None]:
    """Take as many threads as OMP_NUM_THREADS says, else one: they decide the order of sums."""
    if "OMP_NUM_THREADS" in os.environ:
        yield
    else:
        with one_thread():
            yield
