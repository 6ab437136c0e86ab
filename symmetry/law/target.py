"""Anything that can be checked: the interface that each wing implements for its targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from symmetry.law.case import Case
from symmetry.law.invariant import Invariant


@dataclass(frozen=True, kw_only=True)
class ExplanationOptions:
    """The options of an explanation: a target takes those that make sense for it."""

    dtype: str | None = None  # None leaves it to the target
    steps: int | None = None  # of a training's longest run
    seed: int | None = None  # of a training's random numbers, or of generated data
    case: Case | None = None  # of a two-layer step; by default generated pixels and zero weights
    sizes: Mapping[str, Any] = field(default_factory=dict)  # fields of a case in place of the usual
    # Returns a data set, for zero weights on it: used unless ``sizes`` has inputs or classes.
    data: Callable[[], Any] | None = None


@runtime_checkable
class Target(Protocol):
    """A target by name: a training, or a two-layer step.

    The checker, the commands and the Python functions use a target through this interface alone.
    Types of floors above this one are ``Any`` here and named in the docstrings.
    """

    @property
    def name(self) -> str:
        """As the user typed it, or ``module:attribute`` of a callable."""
        ...

    @property
    def noun(self) -> str:
        """The kind of target, in texts: ``"training"`` or ``"two-layer step"``."""
        ...

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that it takes."""
        ...

    @property
    def invariants(self) -> Sequence[Invariant]:
        """The catalogue of its kind, in the order in which it is checked."""
        ...

    def plan(self, options: Any) -> Any:
        """Return the ``checker.plan.Plan`` for these ``Options``.

        Raises
        ------
        SymmetryError
            If an option makes no sense for this target.
        """
        ...

    def examiner(self, plan: Any, progress: Any) -> Any:
        """Return the ``checker.examiner.Examiner`` that runs a plan."""
        ...

    def explanation(self, options: ExplanationOptions) -> Any:
        """Return the ``explanation.explained.Explained`` record: the operation that splits units.

        Raises
        ------
        SymmetryError
            If an option makes no sense, or the target has no equal units or does not run.
        """
        ...

    def explanation_of(self, verdict: Any, coverage: Any) -> Any:
        """Return the explanation of a verdict of its check; None if there is nothing to explain.

        ``coverage`` holds the groups of units that the check has found, if it looked for them.
        """
        ...

    def comparison(self, others: Sequence[Any], options: Any) -> Any:
        """Return the ``comparison.outcome.Compared`` record: others held against this target.

        Raises
        ------
        SymmetryError
            If they cannot be compared.
        """
        ...

    def close(self) -> None:
        """End all its runs.

        Raises
        ------
        SymmetryError
            If a script has changed a file of the user's.
        """
        ...
