"""``training/units``: modules have as many equal units as the training says."""

from collections.abc import Sequence

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.start import TrainingStart
from symmetry.units.units import Units


def pins(start: TrainingStart) -> Measurement:
    """Compare the numbers of units with those that the training pins."""
    expected = {**start.target.expect_units, **start.pins}
    if not expected:
        return Measurement.not_applicable("it pins no numbers of units")
    for name, number in expected.items():
        found = _pinned(start.groups, name)
        if not any(units.count == number for units in found):
            counts = ", ".join(f"{units.count} in {units.name}" for units in found)
            known = ", ".join(units.name for units in start.groups) or "no equal units at all"
            found_are = f"it has {counts}" if counts else f"there is no {name}, but {known}"
            message = f"expected {number} equal units in {name}: {found_are}"
            return Measurement.violated(
                Violation(message, 0, "", group=name, pin=f"{name}={number}")
            )
    return Measurement(counted=True)


INVARIANT = TrainingInvariant(
    name="training/units",
    statement="modules have as many equal units as expect_units says",
    reason="a bug in a forward makes units unequal",
    witness="a pin",
    cause="the layer has other units than the test expects",
    cure="Correct the code, or the number in expect_units.",
    targets="PyTorch trainings",
    measure=pins,
    dtypes=WRITTEN,
    units=True,
    runs=1,
)


def _pinned(groups: Sequence[Units], name: str) -> list[Units]:
    """Return the groups of a module: ``fc1`` is not ``fc10``, unless nothing else begins so."""
    name = name.removeprefix("layer ")  # so that 0 pins what is called "layer 0 units"
    named = [(units, units.name.removeprefix("layer ")) for units in groups]
    found = [u for u, own in named if own == name or own.startswith((f"{name} ", f"{name}."))]
    return found or [units for units, own in named if own.startswith(name)]
