"""What of a batch must not matter: the order of its samples."""

from collections.abc import Mapping, Sequence

from symmetry.invariants.law import judge
from symmetry.invariants.measurement import Measurement
from symmetry.trainings.start import TrainingStart
from symmetry.units.state import Array

States = Sequence[Mapping[str, Array]]


def samples(start: TrainingStart) -> Measurement:
    """Compare a run whose batches are rearranged with the run as it is."""
    if start.target.sequential:
        note = "a script makes its batches itself"
        return Measurement(counted=False, note=note, applies=False)
    count = start.begin(noise=True).samples()
    if count is None or count < 2:
        note = "its batch is not given as extras['batch'], or has no axis of at least two samples"
        return Measurement(counted=False, note=note, applies=False)

    def sides(number: int) -> tuple[States, States]:
        return start.resampled(count, number), start.result

    return judge(start, sides, "rearranged samples", "the run as it is")
