"""The kinds of targets, and the invariants of all of them."""

from symmetry.invariants import catalogue as trainings
from symmetry.law.invariant import Invariant
from symmetry.steps import catalogue as steps


def invariants() -> tuple[Invariant, ...]:
    """Return the invariants of all kinds of targets; one that has several kinds comes once."""
    every: dict[str, Invariant] = {}
    for invariant in (*steps.CATALOGUE, *trainings.catalogue()):
        every.setdefault(invariant.name, invariant)
    return tuple(every.values())
