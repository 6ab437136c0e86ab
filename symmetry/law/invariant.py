"""One invariant: its statement, its reason, its measure, and the facts that others read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, TypeVar

from symmetry.base.errors import SymmetryError
from symmetry.law.measurement import Measurement
from symmetry.law.note import Excuse, NoteKind

# Bit for bit, but +0 equals -0 and NaN equals NaN; with a float64 step, within its error bound; in
# multiples of what rounding does to the step.
Compared = Literal["exact", "bound", "response"]
# The things that ``explain`` exchanges to find the operation behind a violation.
Exchanged = Literal["", "units", "samples", "inputs", "classes"]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The words of an invariant, whatever it is measured on."""

    name: str  # family and name, such as symmetry/permutation
    statement: str  # the invariant in one line
    reason: str  # why it holds
    witness: str  # a start without it proves nothing by holding
    # The usual reason for a violation, and an instruction, where its message has none.
    cause: str = ""
    cure: str = ""
    # The targets for which it is true.
    targets: str = "any activation, loss and elementwise optimiser"
    # The meaning of a deviation beyond rounding: it completes "the step ...".
    failure: str = "treats equal units differently"
    exchanges: Exchanged = ""  # what explain exchanges where it is violated, if anything
    notes: tuple[NoteKind, ...] = ()  # the kinds of notes that its measure can give
    excuses: tuple[Excuse, ...] = ()  # what its measure spares
    example: str = ""  # an example and a cure; by default the documentation of its file


@dataclass(frozen=True, kw_only=True)
class Invariant(Statement):
    """One statement that holds for every sound target of a kind, and how it is measured.

    Each wing has a catalogue of them, in a subclass that adds what only its targets need.
    """

    noun: ClassVar[str] = "target"  # what it is measured on, in texts
    two_layer: ClassVar[bool] = False  # whether it is about two-layer steps, on drawn cases

    # Takes a start of a target; errors of the target pass through.
    measure: Callable[[Any], Measurement] = field(compare=False)
    compared: Compared = "exact"  # how two results are compared
    units: bool = False  # whether it needs equal units
    stops: str = ""  # why nothing else is judged where it is violated; empty if the others are
    default: bool = True  # whether it is checked without being selected by name
    rightly: str = ""  # sound targets that violate it: it completes "a step that ..."

    @property
    def about(self) -> str:
        """Its meaning, with examples; by default the documentation of its file."""
        if self.example:
            return self.example
        measure: Any = self.measure
        while (
            inner := getattr(measure, "func", getattr(measure, "__wrapped__", None))
        ) is not None:
            measure = inner
        return inspect.getdoc(inspect.getmodule(measure)) or ""

    @property
    def selected_by(self) -> str:
        """The option that adds it to a check; empty if it is checked by default."""
        return "" if self.default else "--only NAME"

    def measured(self, start: Any) -> Measurement:
        """Return the measurement on a start."""
        return self.measure(start)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the measure out: another process shows verdicts and measures nothing."""
        return {**vars(self), "measure": None}


Entry = TypeVar("Entry", bound=Invariant)


def select(
    catalogue: Sequence[Entry],
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    what: str = "invariant",
) -> tuple[Entry, ...]:
    """Return the invariants whose full names match a pattern of ``only`` and none of ``skip``.

    Without ``only`` those that are checked by default.

    Raises
    ------
    SymmetryError
        If a pattern matches no name, or if nothing is left.
    """
    names = list(dict.fromkeys(invariant.name for invariant in catalogue))
    for pattern in (*only, *skip):
        if not any(fnmatchcase(name, pattern) for name in names):
            close = [n for n in names if pattern in n] or get_close_matches(pattern, names, 1)
            families = dict.fromkeys(f"{name.partition('/')[0]}/*" for name in names)
            meant = (
                f", did you mean {close[0]!r}?" if close else f"; there are {', '.join(families)}"
            )
            raise SymmetryError(f"no {what} matches {pattern!r}{meant} (symmetry check --list)")
    selected = tuple(
        invariant
        for invariant in catalogue
        if (_any_matches(only, invariant.name) if only else invariant.default)
        and not _any_matches(skip, invariant.name)
    )
    if not selected:
        raise SymmetryError("the patterns to skip leave no invariant to check")
    return selected


def _any_matches(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
