"""Note ``ranks/data``: ranks that average their gradients load the same samples.

Example: ``DataLoader(data, batch_size=32, shuffle=True)`` with ``DistributedDataParallel``, and the
same seed on each rank. Two ranks then compute the same gradient twice. Give the loader a
``DistributedSampler``.
"""

from __future__ import annotations

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.ranks.one import why_no_runs
from symmetry.law.measurement import Measurement
from symmetry.law.note import NoteKind
from symmetry.training.start import TrainingStart

DATA = NoteKind("ranks/data")
_TEXT = (
    "all ranks load the same samples, so that more ranks compute the same gradient more often: "
    "give the loader a DistributedSampler"
)


def data(start: TrainingStart) -> Measurement:
    """Compare the batches of all ranks whose gradients are averaged."""
    runs = start.target.on_ranks()
    if runs is None or not runs.each:
        return Measurement.not_applicable(why_no_runs(runs))
    if not all(run.replicates for run in runs.each):
        return Measurement.not_applicable("no module averages gradients over ranks")
    if len({*runs.each[0].loaded}) < 2:
        return Measurement.not_applicable("its loaders give fewer than two different batches")
    if runs.loads_the_same:
        return Measurement.cannot_judge("see the note", notes=(DATA.at(_TEXT),))
    return Measurement(counted=True)


INVARIANT = TrainingInvariant(
    name="ranks/data",
    statement="ranks that average their gradients load different samples",
    reason="a gradient that is computed twice is no mean over twice as many samples",
    witness="several ranks, and two batches",
    cause="the loaders have no DistributedSampler",
    cure="Give each loader a DistributedSampler.",
    targets="PyTorch scripts on several ranks; a note, no violation",
    notes=(DATA,),
    measure=data,
    dtypes=WRITTEN,
    runs=1,
    ranks=True,
)
