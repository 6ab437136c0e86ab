"""The public functions: what a notebook or a test calls, and what the command line prints."""

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from symmetry import session
from symmetry.base.errors import OK, SymmetryError, TrainingError
from symmetry.base.files import writable_files
from symmetry.base.names import RECORDED
from symmetry.checker.declaration import takes
from symmetry.checker.options import Keywords, Options
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Checked, Verdict
from symmetry.comparison import options as compared_by
from symmetry.comparison.outcome import Compared, FirstDifference
from symmetry.explanation.explained import Explained
from symmetry.finding import coverage
from symmetry.law.case import Case
from symmetry.law.target import ExplanationOptions
from symmetry.report import answer, compared, explained
from symmetry.report import units as units_report
from symmetry.report.brief import to_json
from symmetry.targets.resolve import as_target, resolve_training
from symmetry.training import frameworks
from symmetry.training.events import Epochs
from symmetry.units.dtypes import DTYPES
from symmetry.units.words import a_kind

Target = str | Callable[..., Any]

_NOT_THERE = (
    "a training needs {0.name}, which cannot be imported: {0} "
    "(pip install 'unit-symmetry[{0.name}]')"
)


class Coverage(coverage.Coverage):
    """The groups of equal units of a training's model, and the rest of its parameters.

    Print it to read it; its attributes are those of the record that it is.
    """

    def to_json(self) -> str:
        """Return the text of the file that ``symmetry units --json`` writes."""
        return units_report.to_json(self)

    def __repr__(self) -> str:
        """Return what the command prints."""
        return "\n".join(units_report.lines(self))

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return units_report.to_html(self)


@dataclass(frozen=True, repr=False)
class Report(Checked):
    """The result of a check: iterate over it for the verdicts, print it to read them.

    Attributes
    ----------
    target
        Name of the target.
    verdicts
        A tuple of ``Verdict``, one for each invariant and dtype.
    ok
        Whether nothing gates and something was checked: the command would exit with 0.
    explained
        The operation behind the first violation, where it was looked for: by ``check_model``.
    """

    explained: Explained | None = None

    @property
    def ok(self) -> bool:
        """Whether the command would exit with 0."""
        return self.status == OK

    def __bool__(self) -> bool:
        """Return ``ok``, so that ``assert check(step)`` says what it seems to say."""
        return self.ok

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def to_json(self) -> str:
        """Return the text that ``symmetry check --json`` writes."""
        return to_json(self, self.explained) + "\n"

    def __repr__(self) -> str:
        """Return what the command prints; without ``explained`` as with ``--no-explain``."""
        return "\n".join(answer.lines(self, self.explained))

    def _repr_html_(self) -> str:
        """Return the answer for a notebook, and a table of the verdicts to unfold."""
        return answer.to_html(self, self.explained)


@takes(Options, Keywords)
def check(
    target: Target, *, progress: Progress | None = None, **options: Unpack[Keywords]
) -> Report:
    """Check a training step, or a whole training, against the invariants.

    Without ``only`` all invariants that apply are checked: ``network/*`` only of this project's own
    steps. A split that rounding alone explains is *rounding* and does not gate, unless ``exact``.

    A training may return ``(model, step, extras)``. The extras are a dictionary of what else is
    saved and restored: objects with ``state_dict()``, such as a scheduler or an averaged model
    under ``"ema"``, and dictionaries of tensors, which are permuted with the parameters whose names
    they have. Optimisers are found without it. With a function ``"batch"`` the step is called as
    ``step(batch(i))``, and ``symmetry/samples`` can rearrange the batch; ``"batch_axis"`` is the
    axis of its samples, 0 by default. A function ``"evaluate"``, of nothing or of the model, is
    called after each step, and must not change the training. Functions ``"save"`` and ``"load"`` of
    a folder replace the state dictionaries in ``training/resume``: ``load`` is called on fresh
    objects, in a folder that ``save`` has filled. A function with an attribute
    ``expect_units = {"fc1": 33}`` requires that many equal units of a module.

    Parameters
    ----------
    target
        A step ``step(x, y, w1, w2, lr) -> (w1, w2)``, a class whose instances are one, a training,
        a function without parameters that returns ``(model, step)``; or a name as the command line
        takes it: ``"numpy"``, ``"package.module:attribute"``, ``"path/to/file.py:attribute"``.
    progress
        Listens to the progress: a subclass of ``symmetry.Progress``.
    **options
        Those of the command, as listed below.

    Returns
    -------
    Report
        Printed, it reads as the output of the command with ``--no-explain``; ``symmetry.explain``
        names the operation behind a violation.

    Raises
    ------
    SymmetryError
        If the target cannot be imported or is no target, or an argument makes no sense.

    Examples
    --------
    >>> report = check("numba", only="symmetry/clones", examples=20, exact=True)
    >>> report.ok
    True
    >>> [verdict.kind for verdict in report]
    ['holds', 'holds']
    """
    if progress is not None and not isinstance(progress, Progress):
        raise SymmetryError(f"progress must be a symmetry.Progress, not {a_kind(progress)}")
    plan = session.plan_check(target, Options(**options))
    return run_plan(plan, progress)


def run_plan(plan: Plan, progress: Progress | None = None) -> Report:
    """Run a plan and wrap its records in the public classes, which add ``repr`` and HTML."""
    checked = vars(session.check(plan, progress))
    if checked["coverage"] is not None:
        checked = {**checked, "coverage": Coverage(**vars(checked["coverage"]))}
    return Report(**checked)


@takes(Options, Keywords)
def check_model(
    model: Any,
    batch: Any,
    loss: Callable[[Any, Any], Any] | None = None,
    optimizer: Any = None,
    *,
    progress: Progress | None = None,
    **options: Unpack[Keywords],
) -> Report:
    """Check the training of a PyTorch model that exists, for example in a notebook.

    It works on copies on the CPU: the model, its gradients, its mode, the optimiser and the random
    states stay as they are, bit for bit. Each step trains a copy on the same batch. A model in
    evaluation mode is checked in training mode.

    Parameters
    ----------
    model
        An ``nn.Module``.
    batch
        A tensor, or a tuple or a mapping of tensors.
    loss
        A function ``loss(model, batch)`` that returns a scalar tensor, as in ``lambda model, batch:
        nn.functional.cross_entropy(model(batch[0]), batch[1])``. It has to use the model that it is
        given. One of PyTorch's own losses, ``nn.CrossEntropyLoss()``, does so if the batch is a
        pair of inputs and targets. A model that returns its loss, as those of transformers, needs
        none.
    optimizer
        Its kind, its groups and their settings are used, without its state. By default plain
        gradient descent.
    progress
        Listens to the progress: a subclass of ``symmetry.Progress``.
    **options
        Those of the command, as listed below.

    Returns
    -------
    Report
        Printed, it begins with the answer; it names the operation behind the first violation.

    Raises
    ------
    SymmetryError
        If something cannot be copied, or the loss cannot be computed: one readable line.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> def loss(model, batch):
    ...     x, y = batch
    ...     return torch.nn.functional.cross_entropy(model(x), y)
    >>> batch = torch.randn(8, 4), torch.randint(2, (8,))
    >>> check_model(model, batch, loss, only="symmetry/samples").ok
    True
    """
    try:
        training, untouched = frameworks.copied(model, batch, loss, optimizer)
    except ModuleNotFoundError as error:
        raise SymmetryError(_NOT_THERE.format(error)) from error
    target = as_target(training, training.name)
    with untouched:
        training.refuse()
        plan = session.plan_check(target, Options(**options))
        report = run_plan(plan, progress)
        return replace(report, explained=session.explain_check(plan, report))


def find_units(training: Target, *, progress: coverage.Tell | None = None) -> Coverage:
    """Find the groups of equal units in the model of a training.

    Parameters
    ----------
    training
        A function without parameters that returns ``(model, step)``, or its name:
        ``package.module:attribute`` or ``path/to/file.py:attribute``.
    progress
        Called with the current work, its number, and the number of all.

    Returns
    -------
    Coverage
        Printed, it reads as the output of ``symmetry units``.

    Raises
    ------
    SymmetryError
        If there is no such training, it cannot be run, its step has no loss, or the loss is not
        finite: one readable line.
    """
    target = resolve_training(
        training, "expected a training, a function without parameters that returns (model, step)"
    )
    try:
        from symmetry.finding.find import find
    except ModuleNotFoundError as error:
        raise SymmetryError(_NOT_THERE.format(error)) from error
    try:
        with one_thread(), closing(target):  # two would wait for each other longer than they work
            return Coverage(**vars(find(target.training, progress or (lambda *_: None))))
    except TrainingError as error:
        message = str(error)
        named = message if message.startswith(target.name) else f"{target.name}: {message}"
        raise SymmetryError(named) from error


class _Printed:
    def _repr_html_(self) -> str:
        """Return what the command prints, for a notebook."""
        return f"<pre>{html.escape(repr(self))}</pre>"


class Explanation(_Printed, Explained):
    """The explanation of a target: print it to read it.

    Attributes
    ----------
    target
        Name of the target.
    outcome
        *explained* if there is a culprit; *nothing split* if equal units stayed equal, up to
        *rounding*; otherwise why there is no culprit.
    culprits
        The operations that split units, the first one first.
    step, units, array, difference
        Where and how far units split; None, or empty, where none did.
    """

    @property
    def headline(self) -> str:
        """The result in one line."""
        return explained.headline(self)

    def to_json(self) -> str:
        """Return the text that ``symmetry explain --json`` writes."""
        return explained.to_json(self)

    def __repr__(self) -> str:
        """Return what the command prints."""
        return "\n".join(explained.lines(self))


def explain(
    target: Target,
    *,
    case: Case | None = None,
    dtype: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
) -> Explanation:
    """Name the first operation that splits equal units of a target.

    Parameters
    ----------
    target
        As ``check`` takes it: a two-layer step, a training, or a name of one.
    case
        The case to begin from (two-layer steps only). By default generated pixels and zero weights.
    dtype
        ``"float32"`` or ``"float64"``. By default a training is looked at in float64, where
        rounding hides nothing, and then as it is written.
    steps
        Length of the longest run of a training; by default 2.
    seed
        Seed of a training's random numbers, or of generated data; by default 0.

    Returns
    -------
    Explanation
        With its ``outcome`` and, if something splits the units, its ``culprits``.

    Raises
    ------
    SymmetryError
        If the target cannot be imported or run, or has no equal units.

    Examples
    --------
    >>> explain("numba", case=Case(8, 2, 3, 2, 0.1, 2, "float32", "unit", "zero", 0)).outcome
    'nothing split'
    """
    if dtype not in (None, *DTYPES):
        raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    if steps is not None and (not isinstance(steps, int) or steps < 1):
        raise SymmetryError(f"steps must be an integer of at least 1, not {steps!r}")
    options = ExplanationOptions(case=case, dtype=dtype, steps=steps, seed=seed)
    return Explanation(**vars(session.explain(target, options)))


class Comparison(_Printed, Compared):
    """Whether trainings are the same as a reference; true if all are. Print it to read it.

    Attributes
    ----------
    reference
        Name of the first training.
    others
        A tuple with the result for each of the others.
    """

    def __bool__(self) -> bool:
        """Return whether all are the same, up to rounding."""
        return all(other.same for other in self.others)

    @property
    def first(self) -> FirstDifference | None:
        """The first difference of the first training that differs; None if all are the same."""
        return next((other.first for other in self.others if other.first is not None), None)

    @property
    def ratios(self) -> Mapping[str, float]:
        """The largest deviation divided by its response, by dtype."""
        results = [r for other in self.others for r in other.results if r.ratio is not None]
        return {
            dtype: max(r.ratio or 0.0 for r in results if r.dtype == dtype)
            for dtype in dict.fromkeys(r.dtype for r in results)
        }

    def to_json(self) -> str:
        """Return the text that ``symmetry compare --json`` writes."""
        return compared.to_json(self)

    def __repr__(self) -> str:
        """Return what the command prints."""
        return "\n".join(compared.lines(self))


@takes(compared_by.ComparisonOptions, compared_by.ComparisonKeywords)
def compare(
    first: Target,
    *others: Target,
    progress: Progress | None = None,
    **options: Unpack[compared_by.ComparisonKeywords],
) -> Comparison:
    """Say whether trainings, or two-layer steps, are the same as the first one, up to rounding.

    Rounding grows with the number of steps: what it moves by 1 % is not judged.

    Parameters
    ----------
    first, *others
        Trainings, functions without parameters that return ``(model, step)``, their names, or files
        that ``record`` has written; or two-layer steps, all of them. The first is the reference.
    progress
        Listens to the progress: a subclass of ``symmetry.Progress``.
    **options
        Those of the command, as listed below.

    Returns
    -------
    Comparison
        True if all are the same, so that a test is ``assert symmetry.compare(eager, compiled)``.

    Raises
    ------
    SymmetryError
        If the reference does not run or does not repeat itself, nothing is in common, or an
        argument makes no sense.
    """
    asked = compared_by.ComparisonOptions(**options, progress=progress or Progress())
    return Comparison(**vars(session.compare((first, *others), asked)))


def watch(script: Target, *, seed: int = 0) -> Epochs:
    """Run a training script once over whole, shortened epochs; return what it did.

    Parameters
    ----------
    script
        Its path, or what ``symmetry.script`` returns.
    seed
        Seed for all random numbers.

    Returns
    -------
    Epochs
        Its events in order, and the loaders, models and optimisers that took part.

    Raises
    ------
    SymmetryError
        If it is no script, or does not train.
    """
    return session.watch(script, seed)


@takes(compared_by.ComparisonOptions, compared_by.RunKeywords)
def record(
    target: Target,
    file: str | Path,
    *,
    max_size: float = 1.0,
    progress: Progress | None = None,
    **options: Unpack[compared_by.RunKeywords],
) -> tuple[str, ...]:
    """Record a run of a training in a file that ``compare`` takes for it, on another machine.

    Parameters
    ----------
    target
        A training, or its name.
    file
        Ends in ``.safetensors``.
    max_size
        Largest size of the file in GiB; arrays are left out until it fits, the largest first.
    progress
        Listens to the progress: a subclass of ``symmetry.Progress``.
    **options
        Those of the command, as listed below.

    Returns
    -------
    tuple of str
        The names of the arrays that are left out.

    Raises
    ------
    SymmetryError
        If the training does not run or does not repeat itself, the file cannot be written, or an
        argument makes no sense.
    """
    path = Path(file)
    if path.suffix != RECORDED:
        raise SymmetryError(f"a recorded run is a file that ends in {RECORDED}, not {path.name!r}")
    writable_files(path)
    asked = compared_by.ComparisonOptions(**options, progress=progress or Progress())
    return session.record(target, path, asked, max_size)
