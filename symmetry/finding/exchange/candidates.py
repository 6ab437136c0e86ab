"""Candidates: which inputs of an operation may have to be exchanged along with others.

There are few reasons why a further input has to be exchanged: an axis of it is tied to an axis that
is exchanged, or the operation sums over an axis, or it works in blocks. Candidates are guesses. Who
takes one performs the operation and sees whether it fits.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import (
    Action,
    Actions,
    Factor,
    Pairs,
    Within,
    with_factors,
)
from symmetry.finding.exchange.movement import is_floating
from symmetry.finding.exchange.operations import Operations

_PULLS = 6  # candidates for one output
_FACTORS = 60  # single factors, and combinations of them, that are added to one operation

SlotFactor = tuple[int, Factor]


class Candidates:
    """Yields candidates for the inputs of one node, by value, likely ones first."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._trace = operations.trace

    def repairs(self, k: int, input_actions: tuple[Action, ...]) -> Iterator[Actions]:
        """Yield candidates for a node whose outputs are not exchanged as its inputs are.

        The last ones are for exchanges that are not limited to positions of other axes.
        """
        unlimited = tuple(
            tuple(sorted({(a, p, ()) for a, p, _ in action})) for action in input_actions
        )
        for base in dict.fromkeys((input_actions, unlimited)):
            yield from self._completions(k, _factors(base), base, most=2)

    def for_output(
        self, k: int, q: int, action: Action, input_actions: tuple[Action, ...]
    ) -> Iterator[Actions]:
        """Yield candidates that may give output q an action, beside the actions that they have."""
        exact = self._operations.backward(k, q, action, input_actions)
        if exact is not None:
            yield exact
        factors = [(~q, factor) for factor in action]
        yield from itertools.islice(self._completions(k, factors, input_actions, most=1), _PULLS)

    def with_data(self, k: int, input_actions: tuple[Action, ...]) -> Iterator[tuple[Action, ...]]:
        """Yield actions of all inputs, of which one that comes from no leaf has a factor more."""
        for y, factor in self._singles(k, _factors(input_actions), input_actions, data=True):
            more = with_factors(input_actions[y], [factor]) or ()
            yield (*input_actions[:y], more, *input_actions[y + 1 :])

    def _completions(
        self, k: int, factors: list[SlotFactor], input_actions: tuple[Action, ...], *, most: int
    ) -> Iterator[Actions]:
        """Yield the actions tied to factors, alone and with up to ``most`` single factors."""
        yield self._tied(k, factors, input_actions)
        singles = [*itertools.islice(self._singles(k, factors, input_actions), _FACTORS)]
        for number in range(1, most + 1):
            for more in itertools.islice(itertools.combinations(singles, number), _FACTORS):
                yield self._tied(k, [*factors, *more], input_actions)

    def _tied(
        self, k: int, factors: Sequence[SlotFactor], input_actions: tuple[Action, ...]
    ) -> Actions:
        """Return the actions of all inputs that have an axis tied to one of these factors."""
        inputs = self._trace.nodes[k].inputs
        more: dict[int, list[Factor]] = defaultdict(list)
        for slot, (axis, pairs, within) in factors:
            limits = [(self._operations.tied_axes(k, slot, a), p) for a, p in within]
            for y, a in self._operations.tied_axes(k, slot, axis).items():
                if y >= 0:
                    own = sorted((tied[y], p) for tied, p in limits if tied.get(y, a) != a)
                    more[y].append((a, pairs, tuple(own)))
        joined = {inputs[y]: with_factors(input_actions[y], new) for y, new in more.items()}
        return {i: a for i, a in joined.items() if a}

    def _singles(
        self,
        k: int,
        factors: Sequence[SlotFactor],
        input_actions: tuple[Action, ...],
        *,
        data: bool = False,
    ) -> Iterator[SlotFactor]:
        """Yield single factors that may belong to others, although their axes are not tied.

        A factor may be limited to the positions at which the outputs change. ``data``: on inputs
        that come from no leaf.
        """
        singles: set[SlotFactor] = set()
        targets = self._axes(k, data=data)
        for (x, (axis, pairs, _)), (y, a) in itertools.product(factors, targets):
            shape = self._operations.shape(k, y)
            labels = axis == actions.LABELS and max(map(max, pairs)) < shape[a]
            size = shape[a] if labels else self._operations.shape(k, x)[axis]
            choices = _counterparts(pairs, size, shape[a], same_axis=(x, axis) == (y, a))
            limits = self._limits(k, input_actions, shape, a) if choices else [()]
            for own, within in itertools.product(choices, limits):
                single = y, (a, own, within)
                action = with_factors(input_actions[y], [single[1]])
                if single not in singles and action not in (None, input_actions[y]):
                    singles.add(single)
                    yield single

    def _axes(self, k: int, *, data: bool) -> list[tuple[int, int]]:
        """Return the axes of the inputs that come from leaves or, with ``data``, of the others."""
        return [
            (y, a)
            for y, i in enumerate(self._trace.nodes[k].inputs)
            if data is (i not in self._trace.from_leaves) and is_floating(self._trace.arrays[i])
            for a in range(self._trace.arrays[i].ndim)
        ]

    def _limits(
        self, k: int, input_actions: tuple[Action, ...], shape: tuple[int, ...], axis: int
    ) -> list[Within]:
        """Return limits for a factor along an axis: none, or changed positions of another axis."""
        limits: list[Within] = [()]
        for other in (b for b in range(len(shape)) if b != axis):
            changed = self._operations.changed_positions(k, input_actions)
            limits += [((other, p),) for n, p in changed if n == shape[other]]
        return limits


def _factors(input_actions: Sequence[Action]) -> list[SlotFactor]:
    """Return the factors of all inputs, by slot."""
    return [(x, factor) for x, action in enumerate(input_actions) for factor in action]


def _counterparts(pairs: Pairs, size: int, other: int, *, same_axis: bool) -> list[Pairs]:
    """Return pairs of an axis of size ``other`` that may belong to pairs of one of size ``size``.

    On the same axis these are the pairs of both halves: of a gate and its value.
    """
    (i, j), block = pairs[0], len(pairs)
    if same_axis:
        half = size // 2
        both = {*pairs, *(((p + half) % size, (q + half) % size) for p, q in pairs)}
        return [tuple(sorted(both))] if size % 2 == 0 else []
    if size == other:
        return [pairs]
    several: list[list[tuple[int, int]]] = []
    if j - i == block and size % block == 0 and other % (size // block) == 0 and i % block == 0:
        n = other // (size // block)  # one block becomes one block
        several.append([(i // block * n + z, j // block * n + z) for z in range(n)])
    if other % size == 0:  # in each of several parts, as gate and value
        several.append([(p + n, q + n) for p, q in pairs for n in range(0, other, size)])
    if other > 1 and size % other == 0 and all(p // other == q // other for p, q in pairs):
        several.append([(p % other, q % other) for p, q in pairs])  # within a block
    return [tuple(sorted({*own})) for own in several]
