"""``ranks/schedule``: on several ranks, too, a schedule ends where the loop ends.

Example: accelerate steps a prepared scheduler once for each process. One that is made for
``epochs * len(loader)`` steps of a prepared loader ends after half of the training on two ranks.
Multiply its steps by ``accelerator.num_processes``.

The learning rates of all ranks are the same as well. A schedule that looks at a loss of its own
rank lowers its rate there only, and the parameters of the ranks part: average the loss first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loop.judgement import Judgement, judged
from symmetry.invariants.loop.schedule import SCHEDULE
from symmetry.invariants.loop.schedule import schedule as on_one_rank
from symmetry.invariants.ranks.one import why_no_runs
from symmetry.law.measurement import Measurement
from symmetry.training.events import Epochs, Updated
from symmetry.training.start import TrainingStart

_CURE = (
    "If it is prepared by accelerate, which steps it once for each rank, make it for as many times "
    "the steps as there are ranks; else step it where the optimiser steps."
)


def schedule(start: TrainingStart) -> Measurement:
    """Judge the schedulers in a run of the first of several ranks over whole epochs."""
    runs = start.target.on_ranks()
    if runs is None or not runs.epochs:
        why = runs.no_epochs if runs else ""
        return Measurement.not_applicable(why or why_no_runs(runs))

    def judge(first: Epochs) -> Judgement:
        judgement = on_one_rank(first, cure=_CURE)
        _judge_own_rates(runs.epochs, judgement)
        return judgement

    return judged(judge, runs.epochs[0])


INVARIANT = TrainingInvariant(
    name="ranks/schedule",
    statement="a schedule that is made for the updates of several ranks is stepped with each",
    reason="it ends where the loop ends",
    witness="several ranks, and a scheduler that is stepped",
    cause="the length of the schedule does not depend on the number of ranks, or each rank has its "
    "own",
    cure="Divide the number of updates by the number of ranks.",
    targets="PyTorch scripts on several ranks",
    failure="goes wrong beyond its first steps",
    notes=(SCHEDULE,),
    measure=schedule,
    dtypes=WRITTEN,
    runs=1,
    ranks=True,
)


def _judge_own_rates(ranks: Sequence[Epochs], judgement: Judgement) -> None:
    """Accuse an update whose learning rates are other ones on some rank, and were the same."""
    updates = zip(*(epochs.of(Updated) for epochs in ranks), strict=False)
    for number, (first, *others) in enumerate(updates, 1):
        for rank, other in enumerate(others, 1):
            rates = [*zip(first.rates, other.rates, strict=False)]
            apart = next((pair for pair in rates if not math.isclose(*pair)), None)
            if apart is None and len(first.rates) == len(other.rates):
                continue
            if apart is not None and number > 1:
                text = (
                    f"the learning rate of update {number} is {apart[0]:.3g} on rank 0 and "
                    f"{apart[1]:.3g} on rank {rank}: the schedule follows a number of its own "
                    "rank. Average it over all ranks first."
                )
                judgement.applies = True
                judgement.accuse(text, other.at)
            return
