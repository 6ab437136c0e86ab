"""The record of what checking one invariant in one dtype came to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from symmetry.finding.coverage import Coverage
from symmetry.law.case import Case
from symmetry.law.measurement import Violation

Kind = Literal[
    "violated", "error", "rounding", "expected failure", "holds", "vacuous", "not applicable"
]


def _of_violation(name: str) -> property:
    """Return what a verdict hands on of its violation."""
    return property(lambda verdict: getattr(verdict.violation, name, None))


@dataclass(frozen=True)
class Verdict:
    """What checking one invariant in one dtype came to; everything printed is read from it.

    Attributes
    ----------
    invariant
        Name of the invariant.
    dtype
        ``"float32"`` or ``"float64"``.
    kind
        *holds*: nothing deviated, and in some case it could have. *violated*. *rounding*: violated,
        but the rounding of single steps explains it; that does not gate, and in an exact check it
        is *violated*. *vacuous*: nothing deviated, but no case had the witness, so it proves
        nothing. *not applicable*: it says nothing of this target, in this dtype. *expected
        failure*: violated, as announced. *error*: the target raised, or did not return what it has
        to return.
    cases, counted
        Cases that were run, shrinking apart, and those of them that had the witness; of a training
        the runs that were compared.
    max_ulps
        Largest deviation seen; of a failure, in its smallest case. None where nothing was measured.
    margin
        Largest deviation divided by the allowed one; None where only equality is allowed.
    spans
        In words, between which values n, i, h, c, lr and iterations of the cases that counted lay.
    case
        Of a failure, the smallest case found.
    violation
        What went wrong in that case; None for an error.
    message
        One sentence.
    reason
        Why a failure was expected; None if none was.
    stale
        A failure was expected, but there is none in any dtype that was checked.
    failures, reruns
        How often the smallest case failed again when it was run again.
    unproved
        It speaks of equal units, and there are none: passing would prove nothing.
    iteration, matrix, units, entry, relative, groups, growth, rounding
        Of a failure: the step, from 1, and the array that show it, the units and the entry there,
        how far they are apart relative to their size, which units are equal still, how that went
        on, and whether rounding explains it; None where nothing went wrong.
    steps, array, group, ratio, threshold
        Of trainings, which have no cases: how many steps the runs of ``training/*`` take, where the
        largest deviation is, the units it concerns, the deviation divided by the response, and the
        largest ratio that rounding explains.
    """

    invariant: str
    dtype: str
    kind: Kind
    cases: int = 0
    counted: int = 0
    max_ulps: int | None = None
    margin: float | None = None
    spans: tuple[str, ...] = ()
    case: Case | None = None
    violation: Violation | None = None
    message: str = ""
    reason: str | None = None
    stale: bool = False
    failures: int = 0
    reruns: int = 0
    unproved: bool = False
    steps: int | None = None
    array: str | None = None
    group: str | None = None
    ratio: float | None = None
    threshold: float | None = None

    iteration = _of_violation("iteration")
    units = _of_violation("units")
    entry = _of_violation("entry")
    relative = _of_violation("relative")
    groups = _of_violation("groups")
    rounding = _of_violation("rounding")

    @property
    def growth(self) -> tuple[tuple[int, float], ...] | None:
        """How far the units are apart, relative, after some steps."""
        return (self.violation and self.violation.growth) or None

    @property
    def matrix(self) -> str | None:
        """The array that shows the failure of a two-layer step."""
        return self.violation.array if self.violation and not self.of_training else None

    @property
    def gates(self) -> bool:
        """Whether this verdict makes the whole check fail."""
        return self.kind in ("violated", "error") or self.stale

    @property
    def of_training(self) -> bool:
        """Whether it is the verdict on a training, which has no cases."""
        return self.steps is not None

    @property
    def repeats(self) -> bool:
        """Whether the smallest case fails whenever it is run."""
        return self.failures == self.reruns


@dataclass(frozen=True)
class Checked:
    """A whole check of one target."""

    target: str  # its name
    seed: int | None  # of the list of cases; None if the cases were given
    examples: int | None  # number of cases for each dtype
    verdicts: tuple[Verdict, ...]  # one for each invariant and dtype
    heading: tuple[str, ...] = ()  # what was checked, and under which conditions, in lines
    notes: tuple[str, ...] = ()  # what is to be said beside the verdicts, in lines
    warnings: tuple[str, ...] = ()  # of the target's libraries, each once
    complete: bool = True  # whether nothing interrupted it
    coverage: Coverage | None = None  # of a training; None where no units were looked for


def settled(verdicts: Sequence[Verdict], reason: str | None) -> list[Verdict]:
    """Apply the expectation that an invariant fails, if there is one, to its verdicts.

    A violation in any dtype meets it. It says nothing of a target that does not work.
    """
    if reason is None:
        return list(verdicts)
    failures = ("violated", "rounding")
    failed = any(verdict.kind in failures for verdict in verdicts)
    return [
        replace(v, kind="expected failure", reason=reason)
        if v.kind in failures
        else replace(v, reason=reason, stale=not failed and v.kind in ("holds", "vacuous"))
        for v in verdicts
    ]


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 1 if a verdict gates; 2 if passing would prove nothing; else 0.

    That is so if no case counted, or no equal units were found for what speaks of them.
    """
    verdicts = tuple(verdicts)
    if any(verdict.gates for verdict in verdicts):
        return 1
    proved = any(verdict.counted for verdict in verdicts)
    return 0 if proved and not any(verdict.unproved for verdict in verdicts) else 2
