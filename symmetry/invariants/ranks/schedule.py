"""``ranks/schedule``: on several ranks, too, a schedule ends where the loop ends.

Example: accelerate steps a prepared scheduler once for each process. One that is made for
``epochs * len(loader)`` steps of a prepared loader ends after half of the training on two ranks.
Multiply its steps by ``accelerator.num_processes``.
"""

from __future__ import annotations

from functools import partial

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loop.judgement import judged
from symmetry.invariants.loop.schedule import SCHEDULE
from symmetry.invariants.loop.schedule import schedule as on_one_rank
from symmetry.invariants.ranks.one import why_no_runs
from symmetry.law.measurement import Measurement
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
    return judged(partial(on_one_rank, cure=_CURE), runs.epochs[0])


INVARIANT = TrainingInvariant(
    name="ranks/schedule",
    statement="a schedule that is made for the updates of several ranks is stepped with each",
    reason="it ends where the loop ends",
    witness="several ranks, and a scheduler that is stepped",
    cause="the length of the schedule does not depend on the number of ranks",
    cure="Divide the number of updates by the number of ranks.",
    targets="PyTorch scripts on several ranks",
    failure="goes wrong beyond its first steps",
    notes=(SCHEDULE,),
    measure=schedule,
    dtypes=WRITTEN,
    runs=1,
    ranks=True,
)
