"""How trainings are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field

from symmetry.base.errors import SymmetryError
from symmetry.base.ranks import world
from symmetry.checker.progress import Progress
from symmetry.law.case import EXAMPLES, Case
from symmetry.training.baseline import JUDGED
from symmetry.units.state import DTYPES


@dataclass(eq=False)
class Options:
    """The options of ``symmetry.compare``; one that makes no sense is refused."""

    _: KW_ONLY
    steps: int = JUDGED
    dtype: str | Iterable[str] = ()
    seed: int = 0
    rename: str | Iterable[str] = ()
    own_start: bool = False
    examples: int = EXAMPLES  # of two-layer steps: cases in each dtype
    cases: Sequence[Case] | None = None  # to be run instead
    pictured: bool = False  # whether inner ratios are wanted of those that are the same, too
    progress: Progress = field(default_factory=Progress)
    dtypes: tuple[str, ...] = field(init=False)
    # Patterns on the names of the others' arrays, each with what it becomes.
    renames: tuple[tuple[re.Pattern[str], str], ...] = field(init=False)

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("steps", 1), ("examples", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SymmetryError(f"{name} must be an integer of at least {least}, not {value!r}")
        if not isinstance(self.progress, Progress):
            raise SymmetryError(f"progress must be a symmetry.Progress, not {self.progress!r}")
        wanted = _several(self.dtype)
        for dtype in wanted:
            if dtype not in DTYPES:
                raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
        if world() > 1:  # what exchanges gradients was made for the dtype that it saw
            if "float64" in wanted:
                raise SymmetryError("under torchrun trainings are compared as written: in float32")
            wanted = ("float32",)
        self.dtypes = tuple(dtype for dtype in DTYPES if dtype in wanted or not wanted)
        self.renames = tuple(map(_renaming, _several(self.rename)))

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


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
