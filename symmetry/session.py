"""One use of targets: resolve, plan, run, explain, compare, close. All faces are built on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from symmetry.base.errors import BudgetSpent, SymmetryError, TargetError
from symmetry.base.names import RECORDED
from symmetry.checker.examiner import Examiner
from symmetry.checker.ignored import ignored_in
from symmetry.checker.options import Options
from symmetry.checker.plan import Plan, make_plan
from symmetry.checker.progress import Progress
from symmetry.checker.renamed import RENAMED
from symmetry.checker.run import run
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Checked, Verdict
from symmetry.comparison import options as comparison
from symmetry.comparison.outcome import Compared
from symmetry.comparison.recorded import read
from symmetry.comparison.trainings import record_training
from symmetry.explanation.explained import Explained
from symmetry.law.invariant import Invariant
from symmetry.law.target import ExplanationOptions, Target
from symmetry.targets.imports import files_of
from symmetry.targets.resolve import resolve, resolve_training
from symmetry.targets.training import RecordedRun
from symmetry.training.events import Epochs
from symmetry.training.start import TrainingStart
from symmetry.training.token_batch import TokenBatch, token_batches

_FIRST = 2  # steps that are looked at for the batches of the first one
Named = str | Callable[..., Any] | Target


def plan_check(target: Named, options: Options) -> Plan:
    """Return the plan of a check of a target, by name or as it is.

    Raises
    ------
    SymmetryError
        If there is no such target, or an option makes no sense for it.
    """
    resolved = resolve(target, options.draw, options.arguments)
    return make_plan(resolved, options, ignored_in(files_of(resolved.name), _names))


def _names() -> list[str]:
    """Return the names of all invariants and notes; two-layer steps are imported for it."""
    from symmetry.targets.kinds import invariants

    names = {n for each in invariants() for n in (each.name, *(k.name for k in each.notes))}
    return sorted(names | RENAMED.keys())


def check(plan: Plan, progress: Progress | None = None) -> Checked:
    """Run a plan, and end all runs of its target."""
    with closing(plan.target):
        return run(plan, progress)


class SharedCheck:
    """A check whose invariants are put to its target one by one: they share its runs.

    Parameters
    ----------
    plan
        The plan of the whole check.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._examiner: Examiner | None = None
        self._refused: SymmetryError | None = None
        self._checked: dict[Invariant, Checked] = {}

    def of(self, invariant: Invariant) -> Checked:
        """Check an invariant, once; before it those that must hold for others to be judged."""
        examiner = self._begun()
        before = (each for each in self.plan.invariants if each.stops)
        for each in (*before, invariant):
            if each not in self._checked:
                plan = replace(self.plan, invariants=(each,))
                self._checked[each] = run(plan, examiner=examiner)
        return self._checked[invariant]

    def _begun(self) -> Examiner:
        """Return the examiner, which begins once; if that fails, nothing can be checked."""
        if self._refused is not None:
            raise self._refused
        if self._examiner is None:
            examiner = self.plan.target.examiner(self.plan, Progress())
            try:
                with one_thread(), examiner.budget.spending(), suppress(BudgetSpent):
                    examiner.begin()
            except SymmetryError as error:
                self._refused = error
                raise
            self._examiner = examiner
        return self._examiner

    def close(self) -> None:
        """End all runs of the target."""
        with closing(self.plan.target):
            if self._examiner is not None:
                self._examiner.end()


def explain_check(plan: Plan, checked: Checked) -> Explained | None:
    """Return the explanation of the first violation that repeats and has one."""
    violated: dict[object, Verdict] = {}
    for verdict in checked.verdicts:
        if verdict.kind == "violated" and verdict.repeats:
            violated.setdefault((verdict.invariant, verdict.case), verdict)  # once in both dtypes
    with suppress(BudgetSpent):
        for verdict in violated.values():
            explained: Explained | None = plan.target.explanation_of(verdict, checked.coverage)
            if explained is not None:
                return explained if explained.step is not None else None
    return None


def watch(script: Named, seed: int) -> Epochs:
    """Return what a script does in a run over whole epochs.

    Raises
    ------
    SymmetryError
        If it is no script, or raises before its first update.
    """
    target = resolve_training(script, "only a script has epochs to watch")
    try:
        with closing(target), one_thread():
            epochs = target.training.epochs(seed)
    except TargetError as error:
        raise SymmetryError(str(error)) from None
    if epochs is None or epochs.is_function:
        raise SymmetryError(
            f"{target.name!r} cannot be watched: only a script whose steps are calls has epochs"
        )
    return epochs


def tokens(script: Named, seed: int) -> tuple[TokenBatch, ...]:
    """Return the batches of tokens in the first step of a training.

    Raises
    ------
    SymmetryError
        If it is no training, or fails.
    """
    target = resolve_training(script, "only a training has batches to show")
    try:
        with closing(target), one_thread():
            observed = TrainingStart(target.training, "float64", seed, _FIRST).baseline.observed
            return () if observed is None else tuple(token_batches(observed))
    except TargetError as error:
        raise SymmetryError(str(error)) from None


def explain(target: Named, options: ExplanationOptions) -> Explained:
    """Return the operation that splits equal units of a target."""
    explained: Explained = resolve(target).explanation(options)
    return explained


def compare(targets: Sequence[Named], options: comparison.ComparisonOptions) -> Compared:
    """Compare targets with the first: two-layer steps, or trainings and files of recorded runs.

    Raises
    ------
    SymmetryError
        If they are not of one kind, or cannot be compared.
    """
    if len(targets) < 2:
        raise SymmetryError("give at least two targets: a reference, and one to compare")
    sides = [_side(target, options) for target in targets]
    with _threads(), ExitStack() as ends:
        for side in sides:
            ends.enter_context(closing(side))
        first, other = sides[0], next((s for s in sides if s.noun != sides[0].noun), None)
        if other is not None:
            raise SymmetryError(
                f"{first.name} is a {first.noun} and {other.name} is a {other.noun}: steps are "
                "compared with steps, trainings and recorded runs with trainings and recorded runs"
            )
        compared: Compared = first.comparison(sides[1:], options)
        return compared


def record(
    target: Named, file: Path, options: comparison.ComparisonOptions, max_size: float
) -> tuple[str, ...]:
    """Run a training and write all of it into a file; return the names of what is left out."""
    training = resolve_training(target, "only trainings are recorded")
    with _threads(), closing(training):
        return record_training(training.side, file, options, max_size)


def _side(target: Named, options: comparison.ComparisonOptions) -> Any:
    """Return a target, or the recorded run of a file."""
    if isinstance(target, str) and target.endswith(RECORDED):
        return RecordedRun(read(Path(target)))
    return resolve(target, options.draw, options.arguments)


@contextmanager
def _threads() -> Iterator[None]:
    """Take as many threads as OMP_NUM_THREADS says, else one: they decide the order of sums."""
    if "OMP_NUM_THREADS" in os.environ:
        yield
    else:
        with one_thread():
            yield
