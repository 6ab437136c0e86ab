"""``symmetry/micro-batches``: it does not matter in which micro-batch of an update a sample is.

Example: two micro-batches, and the loss of each is the mean over its own tokens.

    A A A A   B B                 a token of A weighs 1/6, one of C 1/3
    C C       D

    A A A A   C C                 exchanged: a token of C weighs 1/6, too
    B B       D

So a token weighs more or less by its neighbours, and the whole batch gives another update. All
weigh 1/9 if each sum is divided by the number of tokens in all micro-batches.

Some sound steps depend on the micro-batches as well: they normalise or compare samples, draw
numbers for them, or fill all up to the longest one. So two more pairs of runs are compared. With
two samples of equal size, E and F, the update has to stay:

    E E   F F      against      E F   F E

This says nothing if E and F have no effect, as rewards less their mean: E alone has to give another
update. With shorter ones that differ in size it must not stay, though all are filled up to one
length:

    E A   F B      against      E B   F A
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.base.randomness.random import Random
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.equivariance import largest_ratio
from symmetry.law.measurement import UNEQUAL_MEANS, Measurement, Violation
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.baseline import JUDGED
from symmetry.training.capabilities.batching import Accumulating, Window
from symmetry.training.start import TrainingStart, cycle
from symmetry.units.state import Array
from symmetry.units.units import Order

_STREAM = 114  # of the seed
_TRIES = 20  # orders until one changes how much a micro-batch holds

States = Sequence[Mapping[str, Array]]


def micro_batches(start: TrainingStart) -> Measurement:
    """Compare a run whose first update exchanges samples between micro-batches with the run."""
    window = start.baseline.window
    if window is None:
        return Measurement.not_applicable(Accumulating.absent)
    try:
        found = _states(start, window, _order(start, window))
        ratio, step, array = largest_ratio(start, found, start.result)
        if ratio > start.limit:
            ratio, step, array = largest_ratio(start, found, start.result, closely=True)
        why = _excuse(start, window) if ratio > start.limit else ""
    except TrainingError as error:  # of samples that have to be sorted, say
        return Measurement.cannot_judge(f"with samples exchanged, {error}")
    if why:
        return Measurement.cannot_judge(why)
    measured = Measurement(
        counted=True,
        margin=ratio / start.limit,
        ratio=ratio,
        threshold=start.limit,
        array=array,
        random=start.random,
    )
    if ratio <= start.limit:
        return measured
    violation = _violation(start, step, array, len(window.batches))
    return replace(measured, violation=violation)


INVARIANT = TrainingInvariant(
    name="symmetry/micro-batches",
    statement="exchanging samples between the micro-batches of an update changes nothing (float64)",
    reason="their gradients are added up as if they were one batch",
    witness="an update after several backwards, of as many batches; a state that moved",
    cause="each micro-batch is divided by its own number of samples or tokens",
    cure="Divide each sum by the number of terms of the whole update.",
    targets="PyTorch scripts",
    needs=(Accumulating,),
    measure=micro_batches,
    compared="response",
    dtypes=PROMOTED,
    copies=8,
)


def _states(start: TrainingStart, window: Window, order: Order) -> States:
    return list(start.begin(order=window.rearranged(order)).states(JUDGED))


def _order(start: TrainingStart, window: Window) -> Order:
    """Return an order that changes how much some micro-batch holds, if one is found."""
    random, count = Random(start.seed, _STREAM), len(window.batches) * window.size
    orders = [cycle(count, random) for _ in range(_TRIES)]
    sizes = [*map(Counter, window.kinds)]
    others = (o for o in orders if [*map(Counter, window.rearranged(o).kinds)] != sizes)
    return next(others, orders[0])


@dataclass(frozen=True)
class _Chosen:
    """Samples, by their numbers: two equal and large ones, and two that differ in their kind."""

    equal: tuple[int, int]
    others: tuple[int, int]

    def turns(self, window: Window, rests: Sequence[tuple[int, int]]) -> tuple[Order, Order]:
        """Return two orders: an equal sample leads each micro-batch, samples in turn follow.

        In the second order the micro-batches have exchanged what follows.
        """
        orders = []
        for swapped in (False, True):
            batches = [
                (self.equal[k % 2], *(pair[(k + swapped) % 2] for pair in rests))
                for k in range(len(window.batches) // 2 * 2)
            ]
            if len(window.batches) % 2:
                batches.append((self.equal[0],) * window.size)
            orders.append(np.array(batches).ravel())
        return orders[0], orders[1]


def _excuse(start: TrainingStart, window: Window) -> str:
    """Say why a sound step may depend on its micro-batches; nothing if none is known."""
    observed = start.baseline.observed
    if observed is None or any("weight" in c.arguments for c in observed.losses):
        return "its classes have weights"
    chosen = _chosen(window)
    if chosen is None:
        return (
            "such an exchange changes this update, and without samples of different lengths it is "
            "not certain why: a loss or a clip of each micro-batch, or samples taken together"
        )
    rest = window.size - 1
    one, other = _pair(start, window, chosen.turns(window, [chosen.equal] * rest))
    if largest_ratio(start, one, other)[0] > start.limit:
        return "its micro-batches take samples together, or draw numbers for them"
    alike = np.full(len(window.batches) * window.size, chosen.equal[0])
    if largest_ratio(start, one, _states(start, window, alike))[0] <= start.limit:
        return "samples of equal size have no effect on the update"
    one, other = _pair(start, window, chosen.turns(window, [chosen.others] * rest))
    if largest_ratio(start, one, other)[0] <= start.limit:
        return "it depends on how far micro-batches are filled up"
    return ""


def _pair(
    start: TrainingStart, window: Window, orders: tuple[Order, Order]
) -> tuple[States, States]:
    """Return two runs that begin with these micro-batches."""
    one, other = orders
    return _states(start, window, one), _states(start, window, other)


def _chosen(window: Window) -> _Chosen | None:
    """Return samples that show whether a token's weight depends on its micro-batch."""
    kinds = [kind for batch in window.kinds for kind in batch]
    largest = sorted(range(len(kinds)), key=lambda k: -kinds[k][0])
    equal = next((p for p in combinations(largest, 2) if kinds[p[0]] == kinds[p[1]]), None)
    if equal is None or window.size < 2:
        return None
    rest = [k for k in largest if kinds[k][0] <= kinds[equal[0]][0] and k not in equal]
    others = next((p for p in combinations(rest[::-1], 2) if kinds[p[0]] != kinds[p[1]]), None)
    return None if others is None else _Chosen(equal, others)


def _violation(start: TrainingStart, step: int, array: str, number: int) -> Violation:
    """Return the violation at the loss that is a mean over unequal numbers, if one is seen."""
    message = (
        f"each of the {number} micro-batches of an update is divided by its own number of tokens, "
        "so that a token in a short one weighs more. Add up sums, and divide them by the number in "
        "all micro-batches"
    )
    place = _unequal_mean(start)
    return Violation.at(message, place, step + 1, array, mechanism=UNEQUAL_MEANS)


def _unequal_mean(start: TrainingStart) -> SourceLine:
    """Return the first line in the first step whose loss counts labels of different numbers."""
    observed = start.baseline.observed
    numbers: dict[SourceLine, int] = {}
    for call in [] if observed is None else observed.losses:
        target = call.arguments.get("target")
        if call.step or target is None:
            continue
        number = int(np.prod(target.shape))
        if target.labels is not None:
            number -= int((target.labels == call.options.get("ignore_index", -100)).sum())
        if numbers.setdefault(call.place, number) != number:
            return call.place
    return NOWHERE
