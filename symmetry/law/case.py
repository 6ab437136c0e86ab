"""A case: ten values on one line of JSON, from which all arrays of a run follow.

Such as ``{"n": 8, "i": 1, "h": 2, "c": 10, "lr": 0.5, "iterations": 3, "dtype": "float32",
"data": "pixels", "weights": "zero", "seed": 0}``.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.units.dtypes import DTYPES
from symmetry.units.words import count

# The recipes of these names are in recipes.py; the simplest come first, as shrinking needs them.
DATA = (
    "zeros",
    "constant",
    "unit",
    "normals",
    "pixels",
    "duplicates",
    "one-class",
    "missing-classes",
)
WEIGHTS = (
    "zero",
    "scaled",
    "small",
    "tiny",
    "wide",
    "steep",
    "cloned",
    "cloned-small",
    "cloned-wide",
)

_RANGES = {
    "n": (1, 10**6),
    "i": (1, 10**5),
    "h": (1, 10**5),
    "c": (1, 10**4),
    "iterations": (1, 10**5),
    "seed": (0, 2**63 - 1),
}
_CHOICES = {"dtype": DTYPES, "data": DATA, "weights": WEIGHTS}
_MAX_ENTRIES = 2**27  # of one array: a gigabyte in float64


class CaseError(SymmetryError):
    """A case is not written as it should be, or one of its values is out of range."""


@dataclass(frozen=True)
class Case:
    """Sizes, hyperparameters and recipes of one run.

    Raises
    ------
    CaseError
        If a value is out of range; the message says which, and what it may be.
    """

    # Samples, inputs, hidden units and classes, each at least 1.
    n: int
    i: int
    h: int
    c: int
    lr: float  # learning rate, positive and finite
    iterations: int  # steps of a run, at least 1
    dtype: str  # ``"float32"`` or ``"float64"``
    # Names of recipes, one of ``DATA`` and one of ``WEIGHTS``.
    data: str
    weights: str
    seed: int  # feeds everything random, from 0 to 2**63 - 1

    def __post_init__(self) -> None:
        for name, (least, largest) in _RANGES.items():
            value = getattr(self, name)
            if not _is_number(value, int) or not least <= value <= largest:
                wanted = f"an integer from {least} to {largest}"
                raise CaseError(f"{name} must be {wanted}, not {_show(value)}")
        if not _is_number(self.lr, int | float) or not 0 < self.lr <= sys.float_info.max:
            raise CaseError(f"lr must be a positive finite number, not {_show(self.lr)}")
        object.__setattr__(self, "lr", float(self.lr))  # 1 and 1.0 are the same case
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                wanted = ", ".join(choices)
                raise CaseError(f"{name} must be one of {wanted}; not {_show(getattr(self, name))}")
        n, i, h, c = self.n, self.i, self.h, self.c
        entries = max(n * i, n * h, n * c, (i + 1) * h, (h + 1) * c)
        if entries > _MAX_ENTRIES:
            raise CaseError(
                f"an array of {entries:,} numbers is more than a case may have "
                f"({_MAX_ENTRIES:,}): n, i, h and c are too large together"
            )

    @property
    def work(self) -> int:
        """The measure of effort that budgets count: n * i * h * iterations."""
        return self.n * self.i * self.h * self.iterations

    def in_words(self) -> str:
        """Return the case in one line for people."""
        return (
            f"{count(self.n, 'sample')}, {count(self.i, 'input')}, {count(self.h, 'hidden unit')}, "
            f"{count(self.c, 'class', 'classes')}; {count(self.iterations, 'iteration')} at "
            f"learning rate {self.lr:g}; data {self.data}, weights {self.weights}, seed {self.seed}"
        )

    def to_json(self) -> str:
        """Return the case as one line of JSON; ``parse_case`` reads it back."""
        return json.dumps(asdict(self))


KEYS = tuple(field.name for field in fields(Case))


def parse_case(text: str) -> Case:
    """Read one case from JSON: an object with exactly the keys of a case, and allowed values."""
    try:
        values = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise CaseError(f"a case is one line of JSON, which this is not: {error}") from None
    if not isinstance(values, dict):
        raise CaseError(f"a case is a JSON object, not {_show(values)}")
    if unknown := [key for key in values if key not in KEYS]:
        raise CaseError(f"unknown {_keys(unknown)} in a case; it has {', '.join(KEYS)}")
    if missing := [key for key in KEYS if key not in values]:
        raise CaseError(f"missing {_keys(missing)} in a case; it has {', '.join(KEYS)}")
    return Case(**values)


def parse_cases(text: str) -> tuple[Case, ...]:
    """Read cases, one a line; blank lines are skipped, and an error gives the line's number."""
    cases = []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                cases.append(parse_case(line))
            except CaseError as error:
                raise (CaseError(f"line {number}: {error}") if len(lines) > 1 else error) from None
    if not cases:
        raise CaseError("no case: one line of JSON was expected")
    return tuple(cases)


def with_distinct_sizes(case: Case) -> Case:
    """Return the case with sizes raised until the axes of each array differ in length.

    It has enough hidden units to compare an odd one with others.
    """
    taken: set[int] = set()

    def free(size: int, bias: int = 0) -> int:
        while not taken.isdisjoint((size, size + bias)):
            size += 1
        taken.update((size, size + bias))
        return size

    c, h = free(max(2, case.c)), free(max(6, case.h), 1)
    return replace(case, c=c, h=h, i=free(max(2, case.i), 1), n=free(max(2, case.n)))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key occurs twice")
    return values


def _is_number(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _keys(names: Sequence[str]) -> str:
    return f"key{'s' * (len(names) > 1)} {', '.join(map(_show, names))}"


def _show(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
