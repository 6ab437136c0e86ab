"""One invariant: its statement, its reason, its measure, and the facts that others read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, TypeVar

from symmetry.base.errors import SymmetryError
from symmetry.law.measurement import Measurement

# Bit for bit, but +0 equals -0 and NaN equals NaN; with a float64 step, within its error bound; in
# multiples of what one ulp does to the step.
Compared = Literal["exact", "bound", "response"]
# What ``explain`` exchanges to find the operation behind a violation.
Explained = Literal["", "units", "samples", "inputs", "classes"]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The words of an invariant, whatever it is measured on.

    Attributes
    ----------
    name
        Family and name, such as ``symmetry/permutation``.
    statement, reason
        The invariant in one line, and why it holds.
    witness
        A start without it proves nothing by holding.
    targets
        The targets for which it is true.
    failure
        The meaning of a deviation beyond rounding: it completes "the step ...".
    explained
        What ``explain`` exchanges where it is violated; empty if it has nothing to say.
    notes
        Names of the notes that its measure can give.
    example
        An example and a cure, if the module that measures it has others.
    """

    name: str
    statement: str
    reason: str
    witness: str
    targets: str = "any activation, loss and elementwise optimiser"
    failure: str = "treats equal units differently"
    explained: Explained = ""
    notes: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, kw_only=True)
class Invariant(Statement):
    """One statement that holds for every sound target of a kind, and how it is measured.

    Each wing has a catalogue of them, in a subclass that adds what only its targets need.

    Attributes
    ----------
    measure
        Takes a start of a target and returns a ``Measurement``; errors of the target pass through.
    compared
        How two results are compared.
    units
        Whether it needs equal units.
    stops
        Why nothing else is judged where it is violated; empty if the others are.
    default
        Whether it is checked without being selected by name.
    rightly
        Sound targets that violate it: it completes "a step that ...".
    """

    noun: ClassVar[str] = "target"  # what it is measured on, in texts
    drawn: ClassVar[bool] = False  # whether it is measured on drawn cases

    measure: Callable[[Any], Measurement] = field(compare=False)
    compared: Compared = "exact"
    units: bool = False
    stops: str = ""
    default: bool = True
    rightly: str = ""

    @property
    def about(self) -> str:
        """Its meaning, with examples; by default the documentation of the module measuring it."""
        if self.example:
            return self.example
        measure: Any = self.measure
        while (
            inner := getattr(measure, "func", getattr(measure, "__wrapped__", None))
        ) is not None:
            measure = inner
        return inspect.getdoc(inspect.getmodule(measure)) or ""

    def measured(self, start: Any) -> Measurement:
        """Return the measurement on a start; its notes without a name get the invariant's."""
        measurement = self.measure(start)
        notes = [n if n.name else replace(n, name=self.name) for n in measurement.notes]
        return replace(measurement, notes=tuple(notes))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the measure out: another process shows verdicts and measures nothing."""
        return {**vars(self), "measure": None}


Entry = TypeVar("Entry", bound=Invariant)


def select(
    catalogue: Sequence[Entry],
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    what: str = "invariant",
    *,
    units: bool = True,
) -> tuple[Entry, ...]:
    """Return the invariants whose full names match a pattern of ``only`` and none of ``skip``.

    Without ``only`` those that are checked by default; without ``units`` none that needs equal
    units.

    Raises
    ------
    SymmetryError
        If a pattern matches no name, or if nothing is left.
    """
    names = list(dict.fromkeys(invariant.name for invariant in catalogue))
    for pattern in (*only, *skip):
        if not any(fnmatchcase(name, pattern) for name in names):
            close = [n for n in names if pattern in n] or get_close_matches(pattern, names, 1)
            hint = f", did you mean {close[0]!r}? There" if close else "; there"
            raise SymmetryError(f"no {what} matches {pattern!r}{hint} are {', '.join(names)}")
    selected = tuple(
        invariant
        for invariant in catalogue
        if (_any_matches(only, invariant.name) if only else invariant.default)
        and not _any_matches(skip, invariant.name)
        and (units or not invariant.units)
    )
    if not selected:
        raise SymmetryError("the patterns to skip leave no invariant to check")
    return selected


def _any_matches(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
