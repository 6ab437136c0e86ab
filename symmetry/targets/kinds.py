"""The kinds of targets, and the invariants of all of them."""

from symmetry.law.invariant import Invariant
from symmetry.steps import catalogue as steps
from symmetry.targets.sizes import sizes


def invariants() -> tuple[Invariant, ...]:
    """Return the invariants of all kinds of targets; one that has several kinds comes once.

    It is the one that can give notes.
    """
    every: dict[str, Invariant] = {}
    for invariant in (*steps.CATALOGUE, *sizes.invariants()):
        known = every.setdefault(invariant.name, invariant)
        if invariant.notes and not known.notes:
            every[invariant.name] = invariant
    return tuple(every.values())
