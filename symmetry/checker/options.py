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
            "Seed for all random numbers; another seed explores other runs and cases.",
            "N",
            least=0,
            most=LARGEST_SEED,
        ),
    )
    dtype: Patterns = field(
        default=(),
        metadata=option("Compute in this dtype.", choices=DTYPES, typed=" [default: both]"),
    )
    examples: int | None = field(
        default=None,
        metadata=option(
            "Number of sets of arguments that are drawn for a training, or of cases of a two-layer "
            "step for each dtype.",
            "N",
            least=1,
            typed=f" [default: {SETS} sets, {CASES} cases]",
        ),
    )
    draw: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=option(
            "Try several values for {NAME} in the script's arguments, from RANGE: 1..64, 1e-5..1 "
            "or 1,2,3,16.",
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
            "Run these cases instead of drawing some (two-layer steps only).",
            "JSON|FILE",
            flag="--case",
            typed="FILE has one per line.",
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
        metadata=option(
            "Check the invariants whose full name matches, such as 'network/*'.", "PATTERN"
        ),
    )
    skip: Patterns = field(
        default=(),
        metadata=option(
            "Skip the invariants whose full name matches, even if they are selected.", "PATTERN"
        ),
    )
    exact: bool = field(
        default=False,
        metadata=option(
            "Units must stay equal bit for bit: a split by rounding alone is a violation."
        ),
    )
    expected_failures: Mapping[str, str] = field(
        default_factory=dict,
        metadata=option(
            "Expect NAME to fail; the check fails if it passes.",
            "NAME=REASON",
            flag="--expect-failure",
        ),
    )
    baseline: str | PathLike[str] | None = field(
        default=None,
        metadata=option(
            "Accept the failures in FILE: a line of JSON each, with target, invariant, the text of "
            "the guilty line, and the reason.",
            "FILE",
        ),
    )
    min_samples: int = field(
        default=1,
        metadata=option("Smallest number of samples in a case; BatchNorm needs 2.", "N", least=1),
    )
    steps: int = field(
        default=4,
        metadata=option(
            "Number of steps in the runs of training/* (trainings only).", "K", least=2
        ),
    )
    expect_units: Mapping[str, int] = field(
        default_factory=dict,
        metadata=option(
            "Require that the module NAME has N equal units (trainings only).", "NAME=N", least=0
        ),
    )
    fast: bool = field(default=False, metadata=option("Skip the invariants that need equal units."))
    strict: bool = field(default=False, metadata=option("Fail if there is any note."))
    gate: Patterns = field(
        default=(), metadata=option("Fail if there is a note of this name.", "NAME")
    )
    require: Patterns = field(
        default=(),
        metadata=option(
            "Pass only if the invariant NAME was judged, or at least N of them.", "NAME|N"
        ),
    )

    budget: float | None = field(
        default=None,
        metadata=option(
            "Start no further check after SECONDS of CPU time; the checks that find most per "
            "second run first, and the answer says how many ran.",
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
    min_samples: int
    cases: Sequence[Case] | None
    steps: int
    expect_units: Mapping[str, int]
    fast: bool
    strict: bool
    gate: Patterns
    require: Patterns
    budget: float | None
