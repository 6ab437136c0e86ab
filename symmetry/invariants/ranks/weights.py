"""Note ``ranks/weights``: in an update the terms of all ranks weigh the same.

Example: each rank takes the mean over its own tokens, and ``DistributedDataParallel`` the mean over
ranks. With 30 tokens on one rank and 10 on the other, a token of the second counts three times as
much. Divide the sum on each rank by the number of tokens on all ranks, times the number of ranks.

It is a note: each text may be meant to count the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loss.pieces import LossSite, UpdateInPieces, updates_in_pieces
from symmetry.invariants.ranks.one import why_no_runs
from symmetry.law.measurement import Measurement
from symmetry.law.note import NoteKind
from symmetry.observe.terms import Terms
from symmetry.training.start import TrainingStart

WEIGHTS = NoteKind("ranks/weights")
_CLOSE, _APART = 1e-3, 1e-2  # of two totals that are equal, of two weights that are not
_AGAIN = 2  # updates that have to show it
_TEXT = (
    "each rank divides by its own number of terms, so that one of {least} terms weighs "
    "{times:.3g} times as much as one of {most}. If all are to count the same, divide sums by the "
    "number on all ranks, and multiply by the number of ranks."
)


def weights(start: TrainingStart) -> Measurement:
    """Compare the weights that terms of a loss have in the same update of each rank."""
    runs = start.target.on_ranks()
    if runs is None or not runs.epochs:
        why = runs.no_epochs if runs else ""
        return Measurement.not_applicable(why or why_no_runs(runs))
    updates = [*zip(*map(updates_in_pieces, runs.epochs), strict=False)]
    if not updates:
        return Measurement.not_applicable("no update takes the gradient of a loss with terms")
    found: dict[LossSite, list[list[Terms]]] = {}
    for site, terms in chain.from_iterable(map(_unequal, updates)):
        found.setdefault(site, []).append(terms)
    often = {site: each[0] for site, each in found.items() if len(each) >= _AGAIN}
    if not often:
        return Measurement(counted=True)
    notes = tuple(WEIGHTS.at(_told(terms), site.mean_at) for site, terms in often.items())
    return Measurement.cannot_judge("see the note", notes=notes)


INVARIANT = TrainingInvariant(
    name="ranks/weights",
    statement="in an update the terms of all ranks weigh the same",
    reason="the batches of all ranks are one batch, cut into pieces",
    witness="several ranks, and a loss with terms",
    cause="each rank divides by its own number of tokens",
    cure="Divide by the mean number of tokens of all ranks.",
    targets="PyTorch scripts on several ranks; a note, no violation",
    notes=(WEIGHTS,),
    measure=weights,
    dtypes=WRITTEN,
    runs=1,
    ranks=True,
)


def _unequal(updates: tuple[UpdateInPieces, ...]) -> Iterator[tuple[LossSite, list[Terms]]]:
    """Yield places whose terms weigh the same on each rank, together as much on all, and differ."""
    for site in updates[0].sites:
        pieces = [update.sites.get(site, {}) for update in updates]
        if any(len(each) != 1 for each in pieces):
            continue  # what micro-batches weigh is judged without ranks
        terms = [next(iter(each.values())) for each in pieces]
        if (
            all(each.count and each.are_equal and each.size > 1 for each in terms)
            and _spread([each.total for each in terms]) <= _CLOSE
            and _spread([each.weight for each in terms]) > _APART
        ):
            yield site, terms


def _spread(numbers: list[float]) -> float:
    return (max(numbers) - min(numbers)) / max(numbers)


def _told(terms: list[Terms]) -> str:
    most, least = (choose(terms, key=lambda each: each.count) for choose in (max, min))
    times = least.weight / most.weight
    return _TEXT.format(least=least.count, most=most.count, times=times)
