"""All runs of a script on several ranks that the invariants of ranks need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import torch

from symmetry.base.devices import CUDA_ON_CPU
from symmetry.base.randomness import generators
from symmetry.sandbox.source import Source
from symmetry.torch.script.ranks.launch import RanksError, launch
from symmetry.torch.script.ranks.observing import RankObserver
from symmetry.torch.script.ranks.plain import run_plainly_on_ranks
from symmetry.training.events import Epochs
from symmetry.training.rank_runs import RankRun, RankRuns
from symmetry.training.response import DRAWS
from symmetry.training.target import Training

_STEPS = 3  # updates, after each of which ranks are compared
_FEW = 10  # ulps of the largest entry, by which a gradient may differ before rounding is measured
_PATIENCE = 60.0  # seconds that a rank may wait for another one
_NO_LOADER = "its batches come from no loader, and differ between ranks"

Seen = tuple[RankRun, list[Any]]  # a run, and the batches of its loaders


def run_on_ranks(source: Source, make: Callable[[Source], Training]) -> RankRuns:
    """Run a script on its ranks; then with the same batches on all of them, and on one.

    Parameters
    ----------
    source
        The script.
    make
        Returns the training of a script.

    Raises
    ------
    RanksError
        If it fails on several ranks, or waits for ever.
    """
    import_module("torch._dynamo")  # or each rank would, for DistributedDataParallel
    alone = replace(source, ranks=1)
    name, world = source.name, source.ranks

    def on(number: int, *given: Any) -> list[Seen]:
        begin = partial(_observed, alone, make, *given)
        return launch(name, [begin] * number, _PATIENCE)

    plain = run_plainly_on_ranks(source)
    if plain.failure is not None or not plain.has_group:
        return RankRuns(failure=plain.failure)
    if plain.on_cuda:  # or else it may train without its ranks
        alone = replace(alone, device=CUDA_ON_CPU)
    seen = on(world, _STEPS)
    found = RankRuns(tuple(run for run, _ in seen))
    try:
        works = [partial(_whole, alone, make)] * world
        found = replace(found, epochs=tuple(launch(name, works, _PATIENCE)))
    except RanksError as error:  # evaluations may need what a run of a check leaves out
        found = replace(found, no_epochs=f"its run over whole epochs fails: {error}")
    batches = seen[0][1]
    if not batches and len({run.inputs for run in found.each}) > 1:
        return replace(found, why=_NO_LOADER)
    given = batches or None
    (together, _), *_ = on(world, 1, given)
    found = replace(found, together=together)
    try:
        repeats, ((single, _),) = 1, on(1, 1, given)
        if given and single.backwards == world * together.backwards:
            # It accumulates less on more ranks: each of them has its share of the batches.
            repeats, ((single, _),) = world, on(1, 1, given, world)
        found = replace(found, alone=single)
        if max(found.ratios.values(), default=0.0) > _FEW:
            runs = (on(1, 1, given, repeats, draw)[0][0] for draw in range(DRAWS))
            found = replace(found, rounded=tuple(run.gradients for run in runs))
    except RanksError as error:  # it may need several
        return replace(found, why=f"it does not run as one rank: {error}")
    return found


def _whole(source: Source, make: Callable[[Source], Training]) -> Epochs | None:
    """Run a script over whole epochs in this process, which is one rank."""
    torch.set_num_threads(1)
    return make(source).epochs()


def _observed(
    source: Source,
    make: Callable[[Source], Training],
    steps: int,
    given: list[Any] | None = None,
    repeats: int = 1,
    draw: int | None = None,
) -> Seen:
    """Observe a script in this process, which is one rank."""
    torch.set_num_threads(1)
    generators.seed_all(0)
    observer = RankObserver(given, repeats, draw)
    return observer.run(make(source), steps), observer.batches
