"""A check before it runs: the plan that follows from its options for one target."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.checker.accepted import read_accepted, reasons_for
from symmetry.checker.ignored import Ignored
from symmetry.checker.options import Options
from symmetry.checker.renamed import excusing, renamed_in, renewed
from symmetry.checker.threads import in_words
from symmetry.law.case import Case
from symmetry.law.invariant import Invariant
from symmetry.law.target import Target
from symmetry.units.words import count


@dataclass(frozen=True)
class Plan:
    """A check that can be run: options that make sense for a target, and what follows from them."""

    target: Target
    options: Options
    # Each invariant is examined in each dtype.
    dtypes: tuple[str, ...]
    invariants: tuple[Invariant, ...]
    on: str  # the cases and conditions of the check, in words: it completes the heading
    cases: tuple[Case, ...] = ()  # those to be run; a training has none
    remarks: tuple[str, ...] = ()  # lines to print beside the verdicts
    # Whether a check of one invariant costs little less than one of all of them.
    together: bool = False
    # The reason for an expected failure, by invariant and by ``found``; for any, if it is empty.
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # Whether a baseline says so: then each violation is told from others of its invariant.
    baseline: bool = False
    ignored: tuple[Ignored, ...] = ()  # comments in the target's files that excuse lines
    renamed: tuple[str, ...] = ()  # a line for each old name of an invariant or a note

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


def make_plan(target: Target, options: Options, ignored: tuple[Ignored, ...] = ()) -> Plan:
    """Return the plan for a target, whose files have some comments that excuse lines.

    Raises
    ------
    SymmetryError
        If an option makes no sense for it.
    """
    renamed = tuple(renamed_in(options, ignored))
    options, ignored = renewed(options), tuple(map(excusing, ignored))
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
    _refuse_gates(options, target.invariants, plan.invariants)
    _refuse_requirements(options, target.invariants, plan.invariants)
    baseline = options.baseline is not None
    return replace(plan, expected=expected, baseline=baseline, ignored=ignored, renamed=renamed)


def _refuse_gates(
    options: Options, every: Sequence[Invariant], selected: Sequence[Invariant]
) -> None:
    """Refuse a note to gate that no selected invariant gives: such a gate never fails."""
    for pattern in options.gate:
        if pattern == "*":  # whatever there is
            continue
        givers = [each for each in every if _matching(pattern, _notes([each]))]
        if not givers:
            raise SymmetryError(f"no note matches {pattern!r}{_there_are(pattern, _notes(every))}")
        if not any(each in givers for each in selected):
            names = " and ".join(each.name for each in givers)
            raise SymmetryError(
                f"--gate {pattern} can never fail: {names} gives such a note, and is not selected"
            )


def _refuse_requirements(
    options: Options, every: Sequence[Invariant], selected: Sequence[Invariant]
) -> None:
    """Refuse to require what no check with these options can prove."""
    names = [each.name for each in selected]
    for required in options.require:
        if required.isdecimal():
            if int(required) > len(names):
                there = count(len(names), "invariant")
                raise SymmetryError(f"--require {required} can never be met: {there} can be judged")
        elif not _matching(required, [each.name for each in every]):
            there = _there_are(required, [each.name for each in every])
            raise SymmetryError(f"no invariant matches {required!r}{there}")
        elif not _matching(required, names):
            raise SymmetryError(f"--require {required} can never be met: it is not selected")


def unmet(options: Options, judged: Mapping[str, str], idle: Collection[str] = ()) -> Iterator[str]:
    """Yield the requirements that a check does not meet, in words.

    ``judged`` has the names of all its invariants, and why they were not judged; if they were, an
    empty text. A pattern requires those of its invariants that apply: others are ``idle``.
    """
    proved = sum(not why for why in judged.values())
    for required in options.require:
        if required.isdecimal() and proved < int(required):
            yield f"--require {required}: only {count(proved, 'invariant')} could be judged"
        matching = [] if required.isdecimal() else _matching(required, [*judged])
        applying = [name for name in matching if name not in idle]
        for name in applying or matching:
            if judged[name]:
                yield f"--require {required}: {name} was not judged: {judged[name]}"


def _notes(invariants: Sequence[Invariant]) -> list[str]:
    return [kind.name for each in invariants for kind in each.notes]


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern)]


def _there_are(pattern: str, names: Sequence[str]) -> str:
    """Return which name may be meant, or all of them, as the end of an error."""
    if not names:
        return ": this target has none"
    close = get_close_matches(pattern, names, 1)
    return f", did you mean {close[0]!r}?" if close else f": there are {', '.join(names)}"
