"""``symmetry/clones`` for trainings."""

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.invariants.unread import unless_initialised, unless_unread
from symmetry.law.equivariance import clones
from symmetry.law.statements import CLONES

INVARIANT = TrainingInvariant(
    **vars(CLONES),
    measure=unless_initialised(unless_unread(clones)),
    compared="response",
    units=True,
    runs=1,
    copies=16,
)
