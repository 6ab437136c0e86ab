"""The kinds of targets, and the invariants of all of them."""

from symmetry.law.invariant import Invariant
from symmetry.steps import catalogue as steps
from symmetry.targets.sizes import sizes


def invariants() -> tuple[Invariant, ...]:
    """Return the invariants of all kinds of targets; one that has several kinds comes once."""
    every: dict[str, Invariant] = {}
    for invariant in (*steps.CATALOGUE, *sizes.invariants()):
        every.setdefault(invariant.name, invariant)
    return tuple(every.values())
