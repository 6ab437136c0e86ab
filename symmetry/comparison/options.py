"""How trainings are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from symmetry.base.errors import SymmetryError
from symmetry.base.ranks import launcher, world
from symmetry.checker.declaration import Patterns, option, settle
from symmetry.checker.options import SharedOptions
from symmetry.checker.progress import Progress
from symmetry.units.dtypes import DTYPES

if TYPE_CHECKING:
    from symmetry.law.case import Case


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonOptions(SharedOptions):
    """The options of ``symmetry.compare``; one that makes no sense is refused."""

    # A bug on odd steps shows in two, and chaos has no time to grow.
    steps: int = field(default=2, metadata=option("Number of steps to run.", "K", least=1))
    rename: Patterns = field(
        default=(),
        metadata=option(
            "Rename arrays of the others: a regular expression, and its replacement.",
            "PATTERN=REPLACEMENT",
        ),
    )
    own_start: bool = field(
        default=False,
        metadata=option("Start each training from its own parameters, not from the ones of FIRST."),
    )
    whole: bool = field(
        default=False,
        metadata=option("Compare whole, shortened epochs as well, with their evaluations."),
    )
    pictured: bool = False  # whether inner ratios are wanted of those that are the same, too
    progress: Progress = field(default_factory=Progress)
    dtypes: tuple[str, ...] = field(init=False)
    # Patterns on the names of the others' arrays, each with what it becomes.
    renames: tuple[tuple[re.Pattern[str], str], ...] = field(init=False)

    def __post_init__(self) -> None:
        settle(self)
        if not isinstance(self.progress, Progress):
            raise SymmetryError(f"progress must be a symmetry.Progress, not {self.progress!r}")
        wanted = tuple(self.dtype)
        if world() > 1:  # what exchanges gradients was made for the dtype that it saw
            if "float64" in wanted:
                under = f"under {launcher().name}"
                raise SymmetryError(f"{under} trainings are compared as written: in float32")
            wanted = ("float32",)
        dtypes = tuple(dtype for dtype in DTYPES if dtype in wanted or not wanted)
        object.__setattr__(self, "dtypes", dtypes)
        object.__setattr__(self, "renames", tuple(map(_renaming, self.rename)))

    def renamed(self, name: str) -> str:
        """Return the name of another training's array, as the reference has it."""
        for pattern, new in self.renames:
            name = pattern.sub(new, name)
        return name

    def tell(
        self, name: str, dtype: str, number: int = 0, of: int = 1, case: Case | None = None
    ) -> None:
        """Say what is about to run."""
        self.progress.case(f"comparing {name}", dtype, number, of, case)


def _renaming(text: str) -> tuple[re.Pattern[str], str]:
    pattern, separator, new = text.partition("=")
    try:
        compiled = re.compile(pattern)
        compiled.sub(new, "")
    except (re.error, IndexError) as error:
        raise SymmetryError(f"cannot rename by {text!r}: {error}") from None
    if not (separator and pattern):
        raise SymmetryError(f"a renaming is PATTERN=REPLACEMENT, not {text!r}")
    return compiled, new


class RunKeywords(TypedDict, total=False):
    """Keywords of ``symmetry.record``: each is described in ``ComparisonOptions``."""

    steps: int
    dtype: Patterns
    seed: int


class ComparisonKeywords(TypedDict, total=False):
    """Keywords of ``symmetry.compare``: each is described in ``ComparisonOptions``."""

    steps: int
    dtype: Patterns
    seed: int
    rename: Patterns
    own_start: bool
    whole: bool
    examples: int | None
    draw: Mapping[str, Any]
    arguments: Mapping[str, Any]
    cases: Sequence[Case] | None
