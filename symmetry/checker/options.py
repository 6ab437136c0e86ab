"""The options of a check, from which the command line, Python and pytest take theirs.

The command line imports it before it does its work, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, TypedDict

from symmetry.checker.declaration import LARGEST_SEED, Patterns, option, settle
from symmetry.units.dtypes import DTYPES

if TYPE_CHECKING:
    from symmetry.law.case import Case

CASES, SETS = 100, 10  # examples of a two-layer step, and of a training with arguments


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """The options that a check shares with a comparison."""

    seed: int = field(
        default=0,
        metadata=option(
            "Seed for all random numbers.",
            "N",
            least=0,
            most=LARGEST_SEED,
        ),
    )
    dtype: Patterns = field(
        default=(),
        metadata=option(
            "Compute in this dtype.", "|".join(DTYPES), choices=DTYPES, typed="  [default: both]"
        ),
    )
    examples: int | None = field(
        default=None,
        metadata=option(
            "Draw N sets of arguments, or N cases.",
            "N",
            least=1,
            typed=f"  [{SETS}, {CASES}]",
        ),
    )
    draw: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=option(
            "Try several values for {NAME} behind --.",
            "NAME=RANGE",
        ),
    )
    arguments: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=option(
            "Values of some arguments of a training, which are not drawn then.", flag=None
        ),
    )
    cases: Sequence[Case] | None = field(
        default=None,
        metadata=option(
            "Run these cases of a two-layer step.",
            "JSON|FILE",
            flag="--case",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Options(SharedOptions):
    """The options of a check: the keywords of ``symmetry.check``, and their defaults.

    Raises
    ------
    SymmetryError
        If a number or a dtype makes no sense for any target.
    """

    only: Patterns = field(
        default=(),
        metadata=option("Check only these invariants, such as 'loss/*'.", "PATTERN"),
    )
    skip: Patterns = field(
        default=(),
        metadata=option("Leave these invariants out.", "PATTERN"),
    )
    exact: bool = field(
        default=False,
        metadata=option("Units must stay equal bit for bit."),
    )
    expected_failures: Mapping[str, str] = field(
        default_factory=dict,
        metadata=option(
            "Expect NAME to fail; the check fails if it passes.",
            flag=None,
        ),
    )
    baseline: str | PathLike[str] | None = field(
        default=None,
        metadata=option(
            "Accept the known failures in FILE.",
            "FILE",
        ),
    )
    steps: int = field(
        default=4,
        metadata=option("Steps in the runs of a function.", "K", least=2),
    )
    expect_units: Mapping[str, int] = field(
        default_factory=dict,
        metadata=option("Module NAME must have N equal units.", "NAME=N", least=0),
    )
    gate: Patterns = field(
        default=(), metadata=option("Fail on this note as well; '*' stands for all.", "NAME")
    )
    require: Patterns = field(
        default=(),
        metadata=option("Pass only if NAME, or N invariants, were judged.", "NAME|N"),
    )

    budget: float | None = field(
        default=None,
        metadata=option(
            "Begin no check after SECONDS of CPU time.",
            "SECONDS",
            positive=True,
        ),
    )

    processes: int = 1  # that measure invariants at a time; the command line has more
    witness: bool = (
        False  # whether a plain run beside the check is compared, as on the command line
    )

    def __post_init__(self) -> None:
        settle(self)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes to check in: those that were selected, or both."""
        return tuple(dtype for dtype in DTYPES if dtype in self.dtype or not self.dtype)


class Keywords(TypedDict, total=False):
    """The keywords of ``symmetry.check``: each is described in ``Options``."""

    only: Patterns
    skip: Patterns
    examples: int | None
    draw: Mapping[str, Any]
    arguments: Mapping[str, Any]
    seed: int
    dtype: Patterns
    exact: bool
    expected_failures: Mapping[str, str]
    baseline: str | PathLike[str] | None
    cases: Sequence[Case] | None
    steps: int
    expect_units: Mapping[str, int]
    gate: Patterns
    require: Patterns
    budget: float | None
