"""The measurement of one invariant on one start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from symmetry.base.errors import Failure
from symmetry.law.note import Note, Proof
from symmetry.observe.source_line import SourceLine
from symmetry.units import compare
from symmetry.units.state import Array
from symmetry.units.words import in_ulps

LEFT_GRADIENTS = "an update reads gradients that an earlier one has used"
UNEQUAL_MEANS = "micro-batches are divided by their own numbers of terms"
UNSEEDED = "a random generator has no seed"
FAILS = "the target fails by itself"
MIXING_SOFTMAX = "a softmax runs over the samples"


@dataclass(frozen=True)
class Violation:
    """A deviation the invariant does not allow, at the first iteration that shows it."""

    message: str  # what happened, in one sentence
    iteration: int  # the step after which it shows, counted from 1
    array: str  # its name: "w1", "x", "model.fc1.weight"
    group: str | None = None  # the name of the units; None where no units are meant
    pin: str | None = None  # NAME=N, where a module was to have N units
    # After a split the odd unit and a usual one; after a rearrangement the place of the entry and
    # the unit that was moved there. None where the violation is about no pair of units.
    units: tuple[int, int] | None = None
    entry: tuple[int, ...] | None = None  # of the array, with the largest deviation
    ulps: int | None = None  # distance at the entry, as the distance of ordered integers
    relative: float | None = None  # distance at the entry by the larger magnitude, from 0 to 2
    allowed: float | None = None  # largest deviation at the entry; None where only equality is
    groups: str | None = None  # in words, which units are still equal
    # Iterations, each with the largest relative distance of the two units; the split comes first.
    growth: tuple[tuple[int, float], ...] = ()
    # Whether rounding of single steps can explain it; None: no question.
    rounding: bool | None = None
    file: str | None = None  # of the user's code, where the guilty line is known
    line: int | None = None  # from 1
    also: tuple[tuple[str | None, int | None], ...] = ()  # other lines with the same mistake
    # A mistake that violates several invariants: these violations are one problem. Empty: only one.
    mechanism: str = ""
    kind: str = ""  # the name of the note that a proof has made a violation; empty if none has

    @classmethod
    def at(
        cls, message: str, place: SourceLine, iteration: int = 1, array: str = "", **facts: Any
    ) -> Violation:
        """Return the violation at a line of the user's code."""
        file, line = place.reference
        return cls(message, iteration, array, file=file, line=line, **facts)

    @classmethod
    def failing(cls, failure: Failure) -> Violation:
        """Return the violation that a target fails by itself."""
        return cls(failure.text, 0, "", file=failure.file, line=failure.line, mechanism=FAILS)

    @classmethod
    def between(
        cls,
        a: Array,
        b: Array,
        text: str,
        iteration: int,
        array: str,
        *,
        entry: tuple[int, ...] | None = None,
        **facts: Any,
    ) -> Violation:
        """Return the violation that two values of an array differ at one entry.

        By default it is the entry at which they are most ulps apart. The text is a format with the
        fields ``array`` and ``at``, its entry; what ``a`` and ``b`` hold there, and ``ulps``.
        """
        if entry is None:
            entry = compare.largest_entry(compare.ulp_distances(a, b))
        one, other = a[entry], b[entry]
        ulps, relative = compare.max_ulps(one, other), compare.max_relative(one, other)
        at = f"{array}{list(entry)}"
        text = text.format(array=array, at=at, a=one, b=other, ulps=in_ulps(ulps))
        return cls(text, iteration, array, entry=entry, ulps=ulps, relative=relative, **facts)


@dataclass(frozen=True)
class Measurement:
    """The outcome of one measurement."""

    counted: bool  # whether the start had the witness: without it a holding proves nothing
    # Largest deviation seen; of bounds, at the entry that came nearest to its own.
    max_ulps: int = 0
    violation: Violation | None = None  # None if the invariant held
    # Largest deviation divided by the allowed one (bound and response); above 1 is a violation.
    margin: float | None = None  # None where nothing was compared or only equality is allowed
    ratio: float | None = None  # the largest deviation divided by the response
    threshold: float | None = None  # the largest ratio that is allowed
    array: str | None = None  # where the largest ratio is
    note: str = ""  # why nothing could be said, or a remark beside the violation
    applies: bool = True  # whether the invariant speaks about this target at all
    unproved: bool = False  # whether it speaks of units, and there are none
    own_error: bool = False  # whether only the check has failed, and not the target
    random: tuple[tuple[str, str], ...] = ()  # operations that were replaced by their means, where
    noise: tuple[str, ...] = ()  # where noise is drawn without which it was judged
    notes: tuple[Note, ...] = ()  # true facts that are usually mistakes
    held: tuple[
        str, ...
    ] = ()  # lines of the answer: what all runs of the check get, and others not
    proofs: tuple[Proof, ...] = ()  # of some of the notes, until they are tried

    def proved(self, start: Any) -> Measurement:
        """Return the measurement in which the first note that proves itself is the violation.

        Where a violation was found already, its notes stay as they are.
        """
        plain = replace(self, proofs=())
        for proof in self.proofs if self.violation is None else ():
            if proof.succeeds(start):
                note = proof.note
                violation = Violation(
                    f"{note.text} Proved: {proof.text}.",
                    0,
                    "",
                    file=note.file,
                    line=note.line,
                    kind=note.name,
                )
                others = tuple(each for each in self.notes if each != note)
                return replace(plain, counted=True, violation=violation, notes=others)
        return plain

    @classmethod
    def violated(cls, violation: Violation, **facts: Any) -> Measurement:
        """Return the measurement of a violated invariant that allows no deviation."""
        return cls(True, violation.ulps or 0, violation, **facts)

    @classmethod
    def not_applicable(cls, why: str, **facts: Any) -> Measurement:
        """Return that the invariant does not speak about this target, and why."""
        return cls(counted=False, applies=False, note=why, **facts)

    @classmethod
    def cannot_judge(cls, why: str, **facts: Any) -> Measurement:
        """Return that nothing could be judged, and why."""
        return cls(counted=False, note=f"cannot judge: {why}", **facts)
