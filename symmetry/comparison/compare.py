"""Comparing targets with the first of them, whatever they are; recording one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.base.names import RECORDED
from symmetry.checker.threads import one_thread
from symmetry.comparison.options import Options
from symmetry.comparison.outcome import Compared
from symmetry.comparison.recorded import Recording, read, write
from symmetry.comparison.trainings import Asked, Reference, compare_trainings, here
from symmetry.steps.compare import compare_steps
from symmetry.steps.step import StepTarget
from symmetry.targets.resolve import resolve
from symmetry.training.target import Training

Target = str | Callable[..., Any]


def compare_all(targets: Sequence[Target], options: Options) -> Compared:
    """Compare targets with the first: two-layer steps, or trainings and files of recorded runs.

    Raises
    ------
    SymmetryError
        If they are not of one kind, or cannot be compared.
    """
    if len(targets) < 2:
        raise SymmetryError("give at least two targets: a reference, and one to compare")
    found = [*map(_resolved, targets)]
    steps = [each for each in found if isinstance(each, StepTarget)]
    others = [each for each in found if not isinstance(each, StepTarget)]
    if steps and others:
        raise SymmetryError(
            f"{steps[0].name} is a two-layer step and {others[0].name} is none: steps are compared "
            "with steps, trainings and recorded runs with trainings and recorded runs"
        )
    with _threads(), ExitStack() as ends:
        for each in found:
            if isinstance(each, Training):
                ends.callback(each.close)
        if steps:
            return compare_steps(steps[0], steps[1:], options)
        return compare_trainings(others[0], others[1:], options)


def record(training: Training, file: Path, options: Options, max_size: float) -> tuple[str, ...]:
    """Run a training and write all of it into a file; return the names of what is left out."""
    reference = Reference(training, options)
    sides = []
    with _threads(), closing(training):
        for dtype in options.dtypes:
            asked = Asked(dtype, options.seed, options.steps, reseeded=not training.sequential)
            try:
                reference.side(asked)
                side = here(training, asked._replace(watched=True), options)
                if side.kept:  # which runs it
                    sides.append(side)
            except TrainingError as error:
                if dtype == options.dtypes[0]:
                    raise SymmetryError(f"it does not run: {error}") from error
        return write(file, sides, max_size)


def _resolved(target: Target) -> StepTarget | Training | Recording:
    recorded = isinstance(target, str) and target.endswith(RECORDED)
    return read(Path(str(target))) if recorded else resolve(target)


@contextmanager
def _threads() -> Iterator[None]:
    """Take as many threads as OMP_NUM_THREADS says, else one: they decide the order of sums."""
    if "OMP_NUM_THREADS" in os.environ:
        yield
    else:
        with one_thread():
            yield
