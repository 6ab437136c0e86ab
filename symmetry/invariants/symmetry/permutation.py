"""``symmetry/permutation`` for trainings."""

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.invariants.symmetry.own_bases import but_for_own_bases
from symmetry.invariants.unread import only_if_initialised, only_if_read
from symmetry.law.equivariance import permutation
from symmetry.law.statements import PERMUTATION

INVARIANT = TrainingInvariant(
    **vars(PERMUTATION),
    cheap=True,
    measure=only_if_initialised(only_if_read(but_for_own_bases(permutation))),
    compared="response",
    units=True,
    copies=8,
)
