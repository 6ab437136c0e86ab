"""What measuring one invariant on one setting brings to light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symmetry.units import compare
from symmetry.units.state import Array


@dataclass(frozen=True)
class Violation:
    """A deviation the invariant does not allow, at the first iteration that shows it.

    Attributes
    ----------
    message
        What happened, in one sentence.
    iteration
        The step after which it shows, counted from 1.
    array
        The array's name: ``"w1"``, ``"x"``, ``"model.fc1.weight"``.
    group
        The name of the units; None where no units are meant.
    units
        Of a split, the odd unit and a usual one; of a rearrangement, the place of the entry and the
        unit that was moved there. None where no two units are meant.
    entry
        Index in the array of the largest deviation.
    ulps
        Distance at the entry, as the distance of ordered integers.
    relative
        Distance at the entry by the larger magnitude, from 0 to 2.
    allowed
        The largest absolute deviation that would have been allowed at the entry; None where only
        equality is.
    groups
        In words, which units are still equal.
    growth
        Pairs of an iteration and the largest relative distance of the two units after it; the first
        is the split itself.
    rounding
        Whether the rounding of single steps can explain it; None where the question makes no sense.
    """

    message: str
    iteration: int
    array: str
    group: str | None = None
    units: tuple[int, int] | None = None
    entry: tuple[int, ...] | None = None
    ulps: int | None = None
    relative: float | None = None
    allowed: float | None = None
    groups: str | None = None
    growth: tuple[tuple[int, float], ...] = ()
    rounding: bool | None = None

    @classmethod
    def between(
        cls,
        a: Array,
        b: Array,
        entry: tuple[int, ...],
        message: str,
        iteration: int,
        array: str,
        **facts: Any,
    ) -> Violation:
        """Return the violation that two values of an array differ, at this entry by so much."""
        ulps = compare.max_ulps(a[entry], b[entry])
        relative = compare.max_relative(a[entry], b[entry])
        return cls(message, iteration, array, entry=entry, ulps=ulps, relative=relative, **facts)


@dataclass(frozen=True)
class Finding:
    """The outcome of one measurement.

    Attributes
    ----------
    counted
        Whether the setting had the invariant's witness. Without it a holding proves nothing.
    max_ulps
        Largest deviation seen. Of an exact invariant that holds it is 0; of one that is compared
        with a bound it is the distance at the entry that came nearest to its bound.
    violation
        None if the invariant held.
    margin
        Largest deviation divided by the allowed one (bound and response); above 1 is a violation.
        None where nothing was compared or only equality is allowed.
    ratio, threshold, array
        Of trainings: the largest deviation divided by the response, the allowed one, and where it
        is.
    note
        Why nothing could be said, or what is to be said beside.
    applies
        Whether the invariant speaks about this target at all.
    """

    counted: bool
    max_ulps: int = 0
    violation: Violation | None = None
    margin: float | None = None
    ratio: float | None = None
    threshold: float | None = None
    array: str | None = None
    note: str = ""
    applies: bool = True

    @classmethod
    def violated(cls, violation: Violation) -> Finding:
        """Return the finding that an invariant is violated which allows no deviation."""
        return cls(True, violation.ulps or 0, violation)
