"""``symmetry/repeatable`` for trainings."""

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.equivariance import repeatable
from symmetry.law.statements import REPEATABLE

INVARIANT = TrainingInvariant(
    **vars(REPEATABLE),
    of_device=True,
    stops="the training does not repeat itself",
    cheap=True,
    measure=repeatable,
    runs=3,
)
