"""``symmetry/permutation`` for trainings."""

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.invariants.unread import unless_initialised, unless_unread
from symmetry.law.equivariance import permutation
from symmetry.law.statements import PERMUTATION

INVARIANT = TrainingInvariant(
    **vars(PERMUTATION),
    cheap=True,
    measure=unless_initialised(unless_unread(permutation)),
    compared="response",
    units=True,
    copies=8,
)
