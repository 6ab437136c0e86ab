"""``symmetry/clones`` for trainings."""

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.invariants.symmetry.own_bases import but_for_own_bases
from symmetry.invariants.unread import only_if_initialised, only_if_read
from symmetry.law.equivariance import clones
from symmetry.law.statements import CLONES

INVARIANT = TrainingInvariant(
    **vars(CLONES),
    measure=only_if_initialised(only_if_read(but_for_own_bases(clones))),
    compared="response",
    units=True,
    runs=1,
    copies=16,
)
