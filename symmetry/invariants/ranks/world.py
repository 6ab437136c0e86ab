"""``ranks/world``: ranks with the same data make the update that one rank makes with them.

Example: ``loss = task + balance / world_size`` with ``DistributedDataParallel``, which takes the
mean over ranks itself. The weight of the second part then depends on the number of ranks. Leave
the division out.

The batches of the first rank are given to all ranks, and to a run of one rank, under the same
seeds, and the gradients of the first update are compared. So no size of a batch has to be known.
If ranks add up their gradients, those of N ranks are N times as large: that is right if losses are
sums, and a note if they are means. Scripts that make smaller batches on more ranks, or compare the
samples of all ranks with each other, are not judged.

Ranks add numbers up in another order. So a difference counts in multiples of the response of one
rank's gradients: how far they move if each operation is rounded in another way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loss.pieces import updates_in_pieces
from symmetry.invariants.ranks.one import why_no_runs
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import NoteKind
from symmetry.training.rank_runs import RankRun, RankRuns
from symmetry.training.response import THRESHOLDS
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array

WORLD = NoteKind("ranks/world")
_SAME = 1e-3  # in a factor that all gradients share
_ADDED = (
    "each rank's loss is a mean, and their gradients are added up: an update is {} times as large "
    "as on one rank with the same samples. Divide the sum by the number of ranks."
)


def world(start: TrainingStart) -> Measurement:
    """Compare the gradients of several ranks that are given the same batches with those of one."""
    runs = start.target.on_ranks()
    if runs is None or not runs.each:
        return Measurement.not_applicable(why_no_runs(runs))
    together, alone = runs.together, runs.alone
    if together is None or alone is None or not together.gradients:
        return Measurement.cannot_judge(runs.why or "no optimiser steps")
    first, *others = (steps[0] for steps in runs.copies)
    if any(other != first for other in others):
        return Measurement.cannot_judge("its ranks do not hold the same parameters")
    if together.inputs != alone.inputs:
        return Measurement.cannot_judge("one rank calls its model with other data")
    if together.backwards != alone.backwards and together.backwards * runs.world != alone.backwards:
        return Measurement.cannot_judge("one rank accumulates other batches")
    return _compared(runs, together, alone)


INVARIANT = TrainingInvariant(
    name="ranks/world",
    statement="ranks with the same data make the update that one rank makes with them",
    reason="what ranks compute from the same data is the same, and a mean of it, too",
    witness="several ranks, and gradients that are not 0",
    cause="the loss or the rate depends on the number of ranks",
    cure="Divide by the samples of all ranks, once.",
    targets="PyTorch scripts on several ranks",
    notes=(WORLD,),
    measure=world,
    dtypes=WRITTEN,
    runs=2,
    ranks=True,
)


def _compared(runs: RankRuns, together: RankRun, alone: RankRun) -> Measurement:
    shapes = [{n: g.shape for n, g in run.gradients.items()} for run in (together, alone)]
    if other := sorted({n for n, _ in shapes[0].items() ^ shapes[1].items()}):
        return Measurement.cannot_judge(f"one rank has another gradient of {other[0]}")
    ratios, limit = runs.ratios, THRESHOLDS[WRITTEN[0]]
    judged = {n: (together.gradients[n], alone.gradients[n]) for n in ratios}
    factors = [_factor(*pair) for pair in judged.values() if any(map(np.any, pair))]
    at = max(ratios, key=lambda name: ratios[name], default="")
    measured = Measurement(bool(factors), ratio=ratios.get(at), threshold=limit, array=at or None)
    if ratios.get(at, 0.0) <= limit:
        return measured
    if all(abs(factor / runs.world - 1) <= _SAME for factor in factors):
        notes = (WORLD.at(_ADDED.format(runs.world)),) if _are_means(runs) else ()
        return Measurement.cannot_judge(
            "ranks add up their gradients, as for a loss that is a sum", notes=notes
        )
    if together.rows[:1] != alone.rows[:1]:
        return Measurement.cannot_judge("on one rank its batches have another size")
    if together.gathers:
        return Measurement.cannot_judge("it compares the samples of all ranks with each other")
    text = _text(runs, _away(*judged[at]), at, factors)
    return replace(measured, violation=Violation(text, 1, at))


def _are_means(runs: RankRuns) -> bool:
    """Return whether each rank's loss of the first update weighs its terms by 1 together."""
    updates = [updates_in_pieces(epochs)[:1] for epochs in runs.epochs]
    sites = [site for first in updates for update in first for site in update.sites.values()]
    totals = [sum(terms.total for terms in pieces.values()) for pieces in sites]
    return len(sites) == runs.world and all(abs(total - 1) <= _SAME for total in totals)


def _factor(found: Array, expected: Array) -> float:
    """Return by which factor a gradient differs; 0 if it is another one."""
    a, b = (array.astype(np.float64).ravel() for array in (found, expected))
    factor = float(a @ b) / float(b @ b) if b.any() else 0.0
    return factor if _away(found, factor * expected) <= _SAME else 0.0


def _away(found: Array, expected: Array) -> float:
    """Return how far a gradient is from another one, as a part of the larger norm."""
    a, b = (array.astype(np.float64).ravel() for array in (found, expected))
    norm = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / norm if norm else 0.0


def _text(runs: RankRuns, worst: float, at: str, factors: list[float]) -> str:
    first = factors[0]
    if first and all(abs(factor / first - 1) <= _SAME for factor in factors):
        how = f"all gradients are {first:.3g} times as large as on one rank with these batches"
    else:
        how = f"the gradient of {at} differs by {worst:.2g} of its norm from one rank's"
    return (
        f"on {runs.world} ranks that are given the same batches {how}: an update then depends on "
        "the number of ranks"
    )
