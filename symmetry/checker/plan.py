"""A check before it runs: the plan that follows from its options for one target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.checker.accepted import read_accepted, reasons_for
from symmetry.checker.options import Options
from symmetry.checker.threads import in_words
from symmetry.law.case import Case
from symmetry.law.invariant import Invariant
from symmetry.law.target import Target
from symmetry.units.words import count


@dataclass(frozen=True)
class Plan:
    """A check that can be run: options that make sense for a target, and what follows from them.

    Attributes
    ----------
    invariants, dtypes
        Each invariant is examined in each dtype.
    on
        The cases and conditions of the check, in words: it completes the heading.
    cases
        Those to be run; a training has none.
    remarks
        Lines to print beside the verdicts.
    together
        Whether a check of one invariant costs little less than one of all of them.
    expected
        The reason for an expected failure, by invariant and by ``found``; for any, if it is empty.
    baseline
        Whether a baseline says so: then each violation is told from others of its invariant.
    """

    target: Target
    options: Options
    dtypes: tuple[str, ...]
    invariants: tuple[Invariant, ...]
    on: str
    cases: tuple[Case, ...] = ()
    remarks: tuple[str, ...] = ()
    together: bool = False
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    baseline: bool = False

    @property
    def given(self) -> bool:
        """Whether the user gave the cases; otherwise they are drawn."""
        return self.options.cases is not None

    @property
    def heading(self) -> tuple[str, ...]:
        """The target, the invariants, and the conditions of the check, in lines."""
        what = f"{self.target.name}: {count(len(self.invariants), 'invariant')} {self.on}"
        return f"{what}{', exactly' * self.options.exact}", in_words()

    def each(self) -> Iterator[Plan]:
        """Yield the same plan for one invariant after the other."""
        for invariant in self.invariants:
            yield replace(self, invariants=(invariant,), remarks=())


def make_plan(target: Target, options: Options) -> Plan:
    """Return the plan for a target.

    Raises
    ------
    SymmetryError
        If an option makes no sense for it.
    """
    known = () if options.baseline is None else read_accepted(Path(options.baseline))
    expected = reasons_for(known, target.name, options.expected_failures)
    plan: Plan = target.plan(options)
    names = [invariant.name for invariant in target.invariants]
    for name, reasons in expected.items():
        if name not in names:
            raise SymmetryError(
                f"cannot expect a failure of {name!r}: there are {', '.join(names)}"
            )
        if not all(reason.strip() for reason in reasons.values()):
            raise SymmetryError(f"an expected failure of {name} needs a reason")
    _refuse_gates(options, [kind.name for each in target.invariants for kind in each.notes])
    return replace(plan, expected=expected, baseline=options.baseline is not None)


def _refuse_gates(options: Options, notes: Sequence[str]) -> None:
    """Refuse a note to gate that no invariant of the target gives."""
    for pattern in options.gate:
        if not any(fnmatchcase(note, pattern) for note in notes):
            there_are = f"there are {', '.join(notes)}" if notes else "this target has none"
            raise SymmetryError(f"no note matches {pattern!r}: {there_are}")
