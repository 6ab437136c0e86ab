"""The invariants of trainings whose arguments are drawn: one, and all of a single training's."""

from __future__ import annotations

from symmetry.invariants.catalogue import catalogue
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.targets.sizes.sizes import sizes

SIZES = TrainingInvariant(
    name="training/sizes",
    statement="a training that runs with some drawn arguments runs with all that it accepts",
    reason="sizes that a training cannot have are refused as it is made",
    witness="a training that runs",
    targets="PyTorch trainings whose arguments are drawn",
    failure="raises at some sizes",
    measure=sizes,
    dtypes=("float32",),
    runs=1,
)


def invariants() -> tuple[TrainingInvariant, ...]:
    """Return the catalogue of a family of trainings."""
    return SIZES, *catalogue()
