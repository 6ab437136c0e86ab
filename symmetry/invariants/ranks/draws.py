"""Note ``ranks/draws``: ranks draw the same random numbers for different samples.

Example: ``torch.manual_seed(42)`` on each rank, and ``noise = torch.randn_like(x)`` in the loop.
All ranks add the same noise to their samples, so a batch over two ranks has half as much noise.
Seed each rank with ``seed + rank`` once its model is made.

Draws inside of modules, such as dropout, are left out: most scripts give all ranks one seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from symmetry.base.ranks import launcher
from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.ranks.one import why_no_runs
from symmetry.law.measurement import Measurement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.rank_runs import RankRun, RankRuns
from symmetry.training.start import TrainingStart

DRAWS = NoteKind("ranks/draws")
_TEXT = (
    "all ranks draw the same random numbers here, for different samples: seed each rank with its "
    f"own number, as {launcher().seeding} does, once the model is made"
)


def draws(start: TrainingStart) -> Measurement:
    """Look for lines at which all ranks draw the same numbers."""
    runs = start.target.on_ranks()
    if runs is None or not runs.each:
        return Measurement.not_applicable(why_no_runs(runs))
    if not any(run.draws for run in runs.each):
        return Measurement.not_applicable("its loop draws no random numbers for samples")
    if runs.loads_the_same:
        return Measurement.not_applicable("its ranks load the same samples")
    found = [line for line, same in _lines(runs) if same]
    if not found:
        return Measurement(counted=True)
    notes = tuple(DRAWS.at(_TEXT, line) for line in found)
    return Measurement.cannot_judge("see the note", notes=notes)


INVARIANT = TrainingInvariant(
    name="ranks/draws",
    statement="ranks draw different random numbers for their samples",
    reason="samples that share their noise are no independent samples",
    witness="several ranks, and numbers that a loop draws",
    cause="all ranks have the same seed",
    cure="Add the rank to the seed.",
    targets="PyTorch scripts on several ranks; a note, no violation",
    notes=(DRAWS,),
    measure=draws,
    dtypes=WRITTEN,
    runs=1,
    ranks=True,
)


def _lines(runs: RankRuns) -> Iterator[tuple[SourceLine, bool]]:
    """Yield each line that draws, and whether all ranks draw the same there each time."""
    first, *others = (_by_line(run) for run in runs.each)
    for line, digests in first.items():
        yield line, all(other.get(line) == digests for other in others)


def _by_line(run: RankRun) -> dict[SourceLine, list[str]]:
    found = defaultdict[SourceLine, list[str]](list)
    for draw in run.draws:
        found[draw.line].append(draw.digest)
    return found
