"""``symmetry/repeatable`` for trainings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.equivariance import repeatable
from symmetry.law.measurement import UNSEEDED, Measurement
from symmetry.law.note import Note, NoteKind
from symmetry.law.statements import REPEATABLE
from symmetry.training.baseline import by_rounding
from symmetry.training.start import TrainingStart
from symmetry.units.state import identical

HASH_ORDER = NoteKind(
    "symmetry/hash-order",
    meaning="The training depends on the hashes of texts, as by the order of a set of words. They "
    "are others in each process, so the numbers of the words are, too. Sort the set.",
)
_RUNS = 3  # in which a difference of more than rounding shows


def measured(start: TrainingStart) -> Measurement:
    """Compare two runs; those that differ by rounding, or draw numbers without a seed, go on.

    A script that seeds nothing is to draw other numbers in each run, and so are the environments
    and loaders that a library makes.
    """
    found = repeatable(start)
    if found.violation is None:
        return replace(found, notes=tuple(_notes(start)))
    if found.violation.mechanism == UNSEEDED:
        direct = any(line.direct for line in start.unseeded)
        meant = not (direct and start.target.facts.is_seeded)
        return replace(found, violation=None, held=(found.violation.message,)) if meant else found
    if (differing := start.hold_start()) is not None:
        text = (
            f"{differing} differs by rounding at the start of each run, as by sums in another "
            "order: all runs of this check begin from the first one's"
        )
        again = repeatable(start)
        if again.violation is None:
            rounding = replace(found.violation, message=text, rounding=True)
            return replace(again, violation=rounding, held=(text,))
        found = again
    return _unless_by_rounding(start, found)


def _notes(start: TrainingStart) -> Iterator[Note]:
    """Note a training that depends on the hashes of texts, which are others in each process."""
    if (line := start.target.hash_order).file:
        yield HASH_ORDER.at(
            "under another PYTHONHASHSEED the script is another training, as by the order of this "
            "set: a model that it saves does not fit in the next process. Sort the set.",
            line,
        )


def _unless_by_rounding(start: TrainingStart, found: Measurement) -> Measurement:
    """Return a violation as rounding, if two runs never differ by more than that.

    Perturbed runs show no response where runs without a perturbation differ, too.
    """
    assert found.violation is not None
    differs = False
    for _ in range(_RUNS):
        for one, other in zip(start.first_run, start.rerun(), strict=False):
            if not by_rounding(one, other, start.baseline.precision):
                return found
            differs = differs or not identical(one, other)
    if not differs:  # a race that is seldom lost
        return found
    start.let_runs_differ()
    text = f"two runs differ by rounding: {found.violation.message}"
    violation = replace(found.violation, message=text, rounding=True)
    return replace(found, violation=violation, held=(text,))


INVARIANT = TrainingInvariant(
    **vars(replace(REPEATABLE, notes=(HASH_ORDER,))),
    of_device=True,
    stops="the training does not repeat itself",
    cheap=True,
    measure=measured,
    runs=3,
)
