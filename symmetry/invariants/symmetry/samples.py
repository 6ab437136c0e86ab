"""``symmetry/samples`` for trainings: the order of the samples of a batch does not matter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.base.randomness.random import Random
from symmetry.invariants.composed import by_position, replaced, takes_alone, tried
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.equivariance import compare_sides, holds
from symmetry.law.measurement import Measurement
from symmetry.law.statements import SAMPLES
from symmetry.training.capabilities.batching import Reordering
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart, cycle
from symmetry.training.trial import Trial
from symmetry.units.compare import identical
from symmetry.units.state import Array
from symmetry.units.units import Order

_NOT_READ = (
    "is put together neither from samples by a DataLoader nor from rows of a tensor, has entries "
    "that are no tensors"
)
_NOT_GIVEN = "is not given as extras['batch']"
_PIECES, _PARTNERS = 113, 115  # streams of the seed
_LEFT_OUT = (
    "sample {} of each batch has no effect: other samples in its place change nothing, though they "
    "do so elsewhere. The step leaves it out: use all rows of the batch"
)
_DIVIDED = "the step learns from a part of each batch, and evaluates the rest without gradients"
_MANY = 4  # pieces can be put in an order that does not shift them all by one distance

States = Sequence[Mapping[str, Array]]


def samples(start: TrainingStart) -> Measurement:
    """Compare a run whose batches are rearranged with the run as it is.

    Some sound steps depend on the places of their samples and cannot be judged: those that draw
    numbers for each sample, those that combine samples, as micro-batches that are normalised, or as
    pairs, and those that learn from some samples and evaluate the others. A sample that changes no
    result because of its place is left out.
    """
    count = start.baseline.samples
    if count is None or count < 2:
        given = _NOT_READ if start.target.sequential else _NOT_GIVEN
        return Measurement.not_applicable(
            f"its batch {given}, or has no axis of at least two samples"
        )

    def sides(number: int) -> tuple[States, States]:
        return start.resampled(start.sample_order(count, number)), start.result

    try:
        found = compare_sides(start, sides, "rearranged samples", "the run as it is")
    except TrainingError as error:  # of samples that have to be sorted, say
        return Measurement.cannot_judge(f"with rearranged samples, {error}")
    if found.violation is None:
        return found
    if _is_divided(start, count):
        return Measurement.cannot_judge(_DIVIDED, random=found.random)
    if not (doubt := start.baseline.doubt) or doubt.about != "other":
        place = _left_out(start, count)
        if place is not None and _is_sample(start, count, place):
            return replace(
                found, violation=replace(found.violation, message=_LEFT_OUT.format(place))
            )
    if why := _excuse(start, count):
        return Measurement.cannot_judge(why, random=found.random)
    return found


INVARIANT = TrainingInvariant(
    **vars(SAMPLES),
    cheap=True,
    measure=samples,
    compared="response",
    copies=8,
)


def _is_divided(start: TrainingStart, count: int) -> bool:
    trial = start.begin().capability(Trial)
    return trial is not None and trial.is_divided(count)


def _is_sample(start: TrainingStart, count: int, place: int) -> bool:
    """Return whether a row of a batch is a sample for the model.

    So are rows that may be steps of time, if the model takes them, and each for itself.
    """
    return not start.baseline.doubt or all(
        takes_alone(start, count, row) for row in (place, (place + 1) % count)
    )


def _left_out(start: TrainingStart, count: int) -> int | None:
    """Return a place whose sample no result of the step depends on; None if none is known.

    Other samples there have no effect either, and its own one has an effect elsewhere: so it is the
    place, and no weight or margin of the sample.
    """
    order = start.sample_order(count, 0)
    own, moved = _results(start, np.arange(count)), _results(start, order)
    if own is None or moved is None:
        return None
    for place in tried(count):
        other = (place + 1) % count
        there, elsewhere = order.copy(), np.where(order == place, other, order)
        there[place] = order[other]
        if (
            _same(own, _results(start, replaced(count, place)))
            and _same(moved, _results(start, there))
            and not _same(moved, _results(start, elsewhere))
        ):
            return place
    return None


def _results(start: TrainingStart, order: Order) -> Sequence[Array] | None:
    """Return all results of a step, or the states that it leaves, which show less."""
    results = needed(start.begin(order=order), Reordering).results()
    if results is None and start.baseline.doubt:
        return [array for state in start.resampled(order) for array in state.values()]
    return results


def _same(results: Sequence[Array], others: Sequence[Array] | None) -> bool:
    return others is not None and all(map(identical, results, others))


def _excuse(start: TrainingStart, count: int) -> str:
    """Say why a sound step may depend on the order of its samples; nothing if none is known."""
    if start.baseline.doubt:
        return start.baseline.doubt.why
    states, seen = start.resampled_with_draws(start.sample_order(count, 0))
    if seen and (not all(seen.values()) or holds(start, states)):
        place = next((place for place, follows in seen.items() if not follows), next(iter(seen)))
        return f"the step draws numbers for each sample ({place})"
    for size, order in _orders_of_pieces(count, start.seed):
        # Running statistics rightly depend on the order of micro-batches.
        if holds(start, start.resampled(order), start.buffers):
            return f"the step takes samples together, {size} at a time (normalised? pairs?)"
    for size, together, apart in _orders_of_partners(count, start.seed):
        if holds(start, start.resampled(together), start.buffers) and not holds(
            start, start.resampled(apart), start.buffers
        ):
            return f"the step takes samples together, {size} at a time (as a pair of halves?)"
    if start.begin().capability(Trial) is None:
        return "nothing shows how the step takes its samples together"
    return by_position(start, count)


def _orders_of_pieces(count: int, seed: int) -> Iterator[tuple[int, Order]]:
    """Yield orders in which equal pieces of a batch stay together, by the size, large ones first.

    If there are few pieces, the samples in each are rearranged as well: a bug that confuses
    neighbours would not show if all samples were shifted by one distance.
    """
    for size in [size for size in range(count // 2, 1, -1) if count % size == 0]:
        random = Random(seed, _PIECES, size)
        pieces = np.arange(count).reshape(-1, size)[cycle(count // size, random)]
        if len(pieces) < _MANY:
            pieces = pieces[:, cycle(size, random)]
        yield size, pieces.ravel()


def _orders_of_partners(count: int, seed: int) -> Iterator[tuple[int, Order, Order]]:
    """Yield orders in which partners stay together that lie in the same place of equal parts.

    Their number comes first. In the second order only those of the first part are rearranged: if
    that changes nothing, they are no partners, and the step only treats its parts differently.
    """
    for size in [size for size in range(2, count // _MANY + 1) if count % size == 0]:
        random = Random(seed, _PARTNERS, size)
        parts = np.arange(count).reshape(size, -1)
        places = cycle(count // size, random)
        yield size, parts[:, places].ravel(), np.concatenate([parts[0][places], parts[1:].ravel()])
