"""The outcome of a check: a verdict for each invariant and dtype.

With it go the arguments with which a family of trainings was run, and the extent of the check:
which parts of a training it has seen at work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.checker.ignored import Ignored
from symmetry.finding.coverage import Coverage
from symmetry.law.case import Case
from symmetry.law.invariant import Invariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note
from symmetry.training.run_facts import RunFacts


@dataclass(frozen=True)
class Smallest:
    """The smallest arguments that still violate an invariant."""

    arguments: str  # all of them in one line: ``hidden=3 batch=1``
    target: str  # the name of the training that has them; empty if it cannot be typed
    alone: bool = True  # whether the invariant can be checked on this training alone
    # The argument that matters, and a larger one that does not violate it, in words; empty if
    # larger ones violate it, too.
    where: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)  # the arguments by name

    def in_words(self) -> str:
        """Return all of it in one line."""
        smallest = f"smallest arguments: {self.arguments}"
        return f"{self.where}; {smallest}" if self.where else smallest


@dataclass(frozen=True)
class TriedSizes:
    """The search over a family of trainings."""

    tried: tuple[str, ...]  # the arguments with which it ran, in the order in which they were tried
    # How many were refused, and the training's first reason.
    refused: int = 0
    refusal: str = ""
    # How many were not judged, because a run with them says nothing, and the first reason.
    unjudged: int = 0
    why: str = ""
    spans: tuple[str, ...] = ()  # the values of each argument that were tried, in words

    @property
    def number(self) -> int:
        """How many sets of arguments there were."""
        return len(self.tried) + self.refused + self.unjudged

    def lines(self) -> tuple[str, ...]:
        """Return what was tried, in lines."""
        first = f"tried {len(self.tried)} of {self.number} drawn sizes: {', '.join(self.spans)}"
        lines = [first if self.tried else f"tried none of {self.number} drawn sizes"]
        if self.refused:
            lines.append(f"refused by the training: {self.refused} ({self.refusal})")
        if self.refused > 0.9 * self.number:
            lines.append("more than nine of ten were refused: narrow the ranges")
        if self.unjudged:
            lines.append(f"not judged: {self.unjudged} ({self.why})")
        return tuple(lines)


LOSS_NOT_FINITE = "a loss of the first steps is not finite"  # so no other invariant can be judged
Kind = Literal[
    "violated",
    "error",
    "not finished",
    "not reached",
    "rounding",
    "expected failure",
    "holds",
    "vacuous",
    "not applicable",
]

_LATE = ("not finished", "not reached")
_ENOUGH = 10  # judged invariants prove something, also where no units are equal
_LOST = 1 / 3  # of the invariants that apply: a check that loses more of them proves too little
JUDGED = ("holds", "violated", "rounding", "expected failure", "error")  # kinds that say something


def _of_violation(name: str) -> property:
    """Return what a verdict hands on of its violation."""
    return property(lambda verdict: getattr(verdict.violation, name, None))


@dataclass(frozen=True)
class Verdict:
    """The outcome for one invariant in one dtype; everything printed is read from it.

    Attributes
    ----------
    about
        The invariant.
    invariant
        Its name.
    dtype
        ``"float32"`` or ``"float64"``.
    kind
        *holds*: nothing deviated, and in some case it could have. *violated*. *rounding*: violated,
        but the rounding of single steps explains it; that does not gate, and in an exact check it
        is *violated*. *vacuous*: nothing deviated, but no case had the witness, so it proves
        nothing. *not applicable*: it says nothing of this target, in this dtype. *expected
        failure*: violated, as announced. *error*: the target raised, or did not return what it has
        to return. *not finished*: a limit of time or memory, or an error of symmetry itself, came
        first. *not reached*: the check ended before it, as its user wants: by a budget or Ctrl-C.
    cases, counted
        Cases that were run, not counting shrinking, and how many had the witness; for a training,
        the runs that were compared.
    max_ulps
        Largest deviation; for a failure, in its smallest case. None where nothing was measured.
    margin
        Largest deviation divided by the allowed one; None where only equality is allowed.
    spans
        In words, between which values n, i, h, c, lr and iterations of the cases that counted lay.
    case
        The smallest case that fails.
    violation
        What went wrong in that case; None for an error.
    message
        One sentence.
    reason
        Why a failure was expected; None if it was not.
    found
        What tells the violation from another one of its invariant, in a check with a baseline.
    stale
        A failure was expected, but no dtype that was checked has one.
    failures, reruns
        How often the smallest case failed again when it was run again.
    unproved
        It needs equal units, and the target has none.
    own_error
        An error of symmetry itself came first: the target may be right or wrong.
    notes
        True facts about the target that are usually mistakes.
    iteration, matrix, units, entry, relative, groups, growth, rounding
        Facts of a failure: the step, from 1, and the array that show it, the units and the entry
        there, their deviation relative to their size, which units are equal still, how that went
        on, and whether rounding explains it; None where nothing went wrong.
    steps, array, group, ratio, threshold
        For trainings, which have no cases: how many steps the runs of ``training/*`` take, where
        the largest deviation is, the units it concerns, the deviation divided by the response, and
        the largest ratio that rounding explains.
    smallest
        For trainings whose arguments are drawn: the smallest arguments that fail.
    """

    about: Invariant
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
    found: str | None = None
    stale: bool = False
    failures: int = 0
    reruns: int = 0
    unproved: bool = False
    own_error: bool = False
    notes: tuple[Note, ...] = ()
    steps: int | None = None
    array: str | None = None
    group: str | None = None
    ratio: float | None = None
    threshold: float | None = None
    smallest: Smallest | None = None

    iteration = _of_violation("iteration")
    units = _of_violation("units")
    entry = _of_violation("entry")
    relative = _of_violation("relative")
    groups = _of_violation("groups")
    rounding = _of_violation("rounding")
    file = _of_violation("file")
    line = _of_violation("line")

    @property
    def invariant(self) -> str:
        """The name of the invariant."""
        return self.about.name

    @property
    def growth(self) -> tuple[tuple[int, float], ...] | None:
        """The relative deviation of the units after some steps."""
        return (self.violation and self.violation.growth) or None

    @property
    def matrix(self) -> str | None:
        """The array that shows the failure of a two-layer step."""
        return self.violation.array if self.violation and self.about.two_layer else None

    @property
    def gates(self) -> bool:
        """Whether this verdict makes the whole check fail."""
        return self.kind in ("violated", "error") or self.stale

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
    ignored: tuple[Ignored, ...] = ()  # comments in the target's files that excuse lines
    remarks: tuple[str, ...] = ()  # conditions of the check, such as active dropout, in lines
    notes: tuple[Note, ...] = ()  # true facts that are usually mistakes, each once
    gating: tuple[Note, ...] = ()  # those of them that fail the check, as its options say
    complete: bool = True  # whether nothing interrupted it
    # Why it ended before all invariants were judged: "within 120 s", say; empty if it did not.
    cut: str = ""
    coverage: Coverage | None = None  # of a training; None where no units were looked for
    sizes: TriedSizes | None = None  # of trainings whose arguments are drawn: what was tried
    unmet: tuple[str, ...] = ()  # requirements of the user that it does not meet, in words
    # Facts of its runs. The warnings have those of options and comments, too.
    facts: RunFacts = field(default_factory=RunFacts)
    seconds: float = field(default=0.0, compare=False)  # of a clock

    @property
    def status(self) -> int:
        """The exit status that it means."""
        return exit_code(self.verdicts, self.gating, self.unmet)


def settled(verdicts: Sequence[Verdict], reasons: Mapping[str, str]) -> list[Verdict]:
    """Apply the expectations that an invariant fails, if there are some, to its verdicts.

    ``reasons`` has the reason by ``found``; under an empty text the reason for any failure. A
    violation in any dtype meets them, and so does rounding. They say nothing of a target that does
    not work, or if a limit came first.
    """
    if not reasons:
        return list(verdicts)
    any_reason = next(iter(reasons.values()))
    failures = ("violated", "rounding")
    undecided = any(verdict.kind in (*failures, *_LATE) for verdict in verdicts)
    found = []
    for v in verdicts:
        reason = reasons.get(v.found or "", reasons.get("")) if v.kind == "violated" else any_reason
        if v.kind in failures and reason is not None:
            found.append(replace(v, kind="expected failure", reason=reason))
        else:
            stale = not undecided and v.kind in ("holds", "vacuous")
            found.append(replace(v, reason=reason, stale=stale))
    return found


def unfinished(name: str, dtype: str, message: str, **facts: Any) -> Verdict:
    """Return the verdict on what was running, by its name, when the check ended too early."""
    nothing = Invariant(name=name, statement="", reason="", witness="", measure=Measurement)
    return Verdict(nothing, dtype, "error", message=message, **facts)


def exit_code_accepting(checked: Checked) -> int:
    """Return the exit status of a check that writes its failures into a baseline.

    A target that does not work, a note that gates, and a check that proved nothing still count.
    """
    failures = ("violated", "expected failure")
    verdicts = (
        replace(v, stale=False, kind="expected failure" if v.kind in failures else v.kind)
        for v in checked.verdicts
    )
    return exit_code(verdicts, checked.gating, checked.unmet)


def exit_code(
    verdicts: Iterable[Verdict], gating: Sequence[Note] = (), unmet: Sequence[str] = ()
) -> int:
    """Return FOUND if a verdict or a note gates; FAILED if passing would prove nothing; else OK.

    Passing proves nothing if no case counted, if a limit came before the last verdict, if a
    requirement is not met, if errors of symmetry itself took too much, or if there are no equal
    units and little else was judged.
    """
    verdicts = tuple(verdicts)
    if gating or any(verdict.gates for verdict in verdicts):
        return FOUND
    proved = any(verdict.counted for verdict in verdicts)
    late = any(verdict.kind == "not finished" for verdict in verdicts)
    spoilt = late or unmet or lacks_units(verdicts) or own_error(verdicts)
    return OK if proved and not spoilt else FAILED


def lacks_units(verdicts: Iterable[Verdict]) -> bool:
    """Return whether there are no equal units, and too few other invariants were judged."""
    verdicts = tuple(verdicts)
    judged = {verdict.invariant for verdict in verdicts if verdict.kind in JUDGED}
    return any(verdict.unproved for verdict in verdicts) and len(judged) < _ENOUGH


def own_error(verdicts: Iterable[Verdict]) -> str:
    """Return the error of symmetry itself that took too many of the invariants that apply."""
    verdicts = tuple(verdicts)
    judged = {verdict.invariant for verdict in verdicts if verdict.kind in JUDGED}
    lost = {v.invariant: v.message for v in verdicts if v.own_error and v.invariant not in judged}
    if len(lost) <= _LOST * (len(lost) + len(judged)):
        return ""
    (message, _), *_ = Counter(lost.values()).most_common(1)
    return f"{message} ({len(lost)} of {len(lost) + len(judged)} checks are lost)"
