"""Several jitted functions that take a step together: a round of their calls.

Example: gradients and updates that are jitted apart.

    for x, y in batches:
        loss, gradient = gradient_of(params, x, y)            call 0
        params, moments = update(params, moments, gradient)   call 1

A leaf of the arguments is a result of an earlier call of the round, as gradient is, or of the round
before, as params and moments are: these are the state. Everything else is given. A result that
several calls take is an argument of the first of them. A generator and a critic that are trained
in turns make such rounds, too. Operations between the calls are calls as well, if they are
recorded: see ``operations``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.made import is_array
from symmetry.jax.script.jitted import Jitted

_LONGEST = 4096  # calls of a round
HELD = 9  # calls of a step whose operands are held, if operations are recorded

Made = tuple[int, int]  # the number of a call, and of one of its results
Place = tuple[int, int]  # the number of a call in a round, and of a leaf of its arguments


@dataclass
class RecordedCall:
    """A call of a jitted function."""

    jitted: Any  # the function; or an operation between calls
    tree: Any  # of the arguments, which are in a dictionary by their names
    # The leaves of the arguments; None for results of the function itself. Empty if none is held.
    leaves: list[Any]
    made: list[Made | None]  # the result of a call that each leaf is, if it is one
    constants: frozenset[int]  # the leaves that JAX compiles as constants
    sources: list[Made | None]  # as ``made``, of whole numbers, too
    results: Any = None  # the tree of the results


class _Source(NamedTuple):
    """Where an argument of a call in a round comes from, if it is not given."""

    call: int  # of the round
    result: int
    is_before: bool  # whether that is the round before


@dataclass
class Round:
    """A round of calls as one function that is called with its own results, as ``Jitted`` is."""

    calls: Sequence[RecordedCall]  # of the first round
    sources: Sequence[Sequence[_Source | None]]  # of the arguments of each call
    takers: Mapping[_Source, Place]  # the first argument that is each result of the round before
    tree: Any  # of the arguments by the names of the calls; those that are results are left out
    own: Sequence[Place]  # which argument of a call each leaf of the tree is
    first: list[Any]  # the leaves in the first round
    given: list[list[Any]]  # the leaves in each round; None for those of the state
    state: dict[int, int]  # which leaf is which leaf of the last round's result

    @property
    def name(self) -> str:
        """The names of its functions."""
        return " and ".join(dict.fromkeys(call.jitted.name for call in self.calls))

    def is_operand(self, leaf: int) -> bool:
        """Return whether a leaf is an operand of an operation between calls."""
        return not isinstance(self.calls[self.own[leaf][0]].jitted, Jitted)

    def constants_in(self, arguments: Mapping[str, Any]) -> frozenset[int]:  # noqa: ARG002
        """Return nothing: what JAX compiles as constants is no argument."""
        return frozenset()

    def called(self, arguments: Mapping[str, Any], call: int | None = None) -> Any:  # noqa: ARG002
        """Make the calls of a round; return their results by the names of the calls."""
        values = dict(zip(self.own, jax.tree.leaves(arguments), strict=True))
        returned: list[Any] = []
        for number, each in enumerate(self.calls):
            leaves = [*each.leaves]
            for leaf, source in enumerate(self.sources[number]):
                if source is not None and not source.is_before:
                    leaves[leaf] = jax.tree.leaves(returned[source.call])[source.result]
                elif leaf not in each.constants:
                    place = (number, leaf) if source is None else self.takers[source]
                    leaves[leaf] = values[place]
            returned.append(each.jitted.called(jax.tree.unflatten(each.tree, leaves)))
        return dict(zip(_names(self.calls), returned, strict=True))


def round_of(step: Jitted, log: Sequence[RecordedCall]) -> Round | None:
    """Return the round of calls that takes the step; None if they come in no such order.

    ``log`` are all calls of the script. A function belongs to the round if its results reach the
    step, and if it takes results of the step itself.
    """
    rounds = _rounds(step, log)
    if len(rounds) < 2:
        return None
    own = {number for numbers in rounds for number in numbers}
    sources = [_sources(log, own, *pair) for pair in pairwise(rounds)]
    first = _sources(log, own, [], rounds[0])
    begun = [[s if s and not s.is_before else None for s in row] for row in sources[0] or []]
    if sources[0] is None or first != begun or any(each != sources[0] for each in sources):
        return None
    return _round([[log[n] for n in numbers] for numbers in rounds], sources[0])


def makes_parameters(jitted: Jitted, log: Sequence[RecordedCall]) -> bool:
    """Return whether a function makes what it, or another one, differentiates with respect to.

    ``log`` are all calls of the script. It does not make a model that it returns as it takes it.
    """
    kept = {result for _, result in jitted.kept}
    own = {number for number, call in enumerate(log) if call.jitted is jitted}
    takers = (call for call in log if any(made and made[0] in own for made in call.made))
    return any(
        made is not None and made[0] in own and made[1] not in kept
        for call in takers
        if isinstance(call.jitted, Jitted) and call.tree == call.jitted.tree
        for made in map(call.made.__getitem__, call.jitted.parameters)
    )


def rounds_in(step: Jitted, log: Sequence[RecordedCall]) -> int:
    """Return how many rounds there are so far that take the step; 0 if they are none."""
    return len(_rounds(step, log))


def _rounds(step: Jitted, log: Sequence[RecordedCall]) -> list[list[int]]:
    """Return the numbers of the calls of each round; none if one function makes it."""
    for numbers in _cycles(step, log):
        if not all(log[number].leaves for number in numbers):
            return []
        length = _period([_kind(log[number]) for number in numbers])
        if length is not None and len({id(log[number].jitted) for number in numbers}) > 1:
            return [numbers[n : n + length] for n in range(0, len(numbers) - length + 1, length)]
    return []


def _cycles(step: Jitted, log: Sequence[RecordedCall]) -> Iterator[list[int]]:
    """Yield the numbers of the calls that may make rounds.

    Operations are recorded once they depend on a call, so those of the first round are not known,
    as of moments that are zero. Nor is it which of the last ones the next round depends on.
    """
    numbers = _cycle(step, log)
    mine = [n for n, number in enumerate(numbers) if log[number].jitted is step]
    if all(isinstance(log[number].jitted, Jitted) for number in numbers):
        yield numbers
    else:
        ends = [mine[-last] for last in (2, HELD) if last < len(mine)]
        yield from (numbers[first:end] for end in ends for first in mine[:HELD])


def _kind(call: RecordedCall) -> Any:
    return id(call.jitted), call.tree, [call.leaves[number] for number in sorted(call.constants)]


def _cycle(step: Jitted, log: Sequence[RecordedCall]) -> list[int]:
    """Return the numbers of the calls that take results of a step, and lead to a later one.

    All calls of a function belong to it if one does.
    """
    after, before = set[int](), set[int]()
    for number, call in enumerate(log):
        if call.jitted is step or any(made and made[0] in after for made in call.made):
            after.add(number)
    for number in range(len(log) - 1, -1, -1):
        if log[number].jitted is step or number in before:
            before.update(made[0] for made in log[number].made if made)
    found = after & before
    own = {id(step), *(id(log[number].jitted) for number in found)}
    return [
        number
        for number, call in enumerate(log)
        if number in found or (isinstance(call.jitted, Jitted) and id(call.jitted) in own)
    ]


def _period(kinds: Sequence[Any]) -> int | None:
    """Return after how many calls the same ones come again, all the time."""
    longest = min(_LONGEST, len(kinds) // 2)
    periods = (p for p in range(1, longest + 1) if kinds[p] == kinds[0])
    return next((p for p in periods if [*kinds[p:]] == [*kinds[:-p]]), None)


def _sources(
    log: Sequence[RecordedCall], own: Container[int], before: Sequence[int], now: Sequence[int]
) -> list[list[_Source | None]] | None:
    """Return the sources of all arguments in a round; None if one is an older result.

    ``own`` are the calls of all rounds.
    """
    known = {number: (n, True) for n, number in enumerate(before)}
    known |= {number: (n, False) for n, number in enumerate(now)}

    def source(made: Made | None) -> _Source | None:
        if made is None or made[0] not in own:
            return None
        call, is_before = known[made[0]]
        return _Source(call, made[1], is_before)

    try:
        return [[*map(source, log[number].made)] for number in now]
    except KeyError:
        return None


def _round(
    rounds: Sequence[Sequence[RecordedCall]], sources: Sequence[Sequence[_Source | None]]
) -> Round | None:
    """Return a round of calls; None if the first one takes different arrays as one of the state."""
    calls, takers = rounds[0], dict[_Source, Place]()
    wanted = set[Place]()
    for number, call in enumerate(calls):
        for leaf, source in enumerate(sources[number]):
            place = number, leaf
            if source is None and leaf not in call.constants:
                wanted.add(place)
            elif source is not None and source.is_before:
                taker = takers.setdefault(source, place)
                if calls[taker[0]].leaves[taker[1]] is not call.leaves[leaf]:
                    return None
    wanted.update(takers.values())
    own, tree = _flat({n: (call.tree, wanted) for n, call in enumerate(calls)}, calls)
    results, _ = _flat({n: (call.results, None) for n, call in enumerate(calls)}, calls)
    state = {
        own.index(place): results.index((source.call, source.result))
        for source, place in takers.items()
    }
    given = [
        [None if n in state else each[c].leaves[leaf] for n, (c, leaf) in enumerate(own)]
        for each in rounds
    ]
    first = [calls[c].leaves[leaf] for c, leaf in own]
    _share(given, [not isinstance(calls[c].jitted, Jitted) for c, _ in own])
    return Round(calls, sources, takers, tree, own, first, given, state)


def _share(given: Sequence[list[Any]], of_operations: Sequence[bool]) -> None:
    """Put one array in the place of operands that are equal in all rounds: they are constants."""
    for n, is_operand in enumerate(of_operations):
        first, *others = (leaves[n] for leaves in given)
        if is_operand and is_array(first) and all(_equal(first, other) for other in others):
            for leaves in given:
                leaves[n] = first


def _equal(array: Any, other: Any) -> bool:
    return is_array(other) and not is_key(array.dtype) and np.array_equal(array, other)


class _Leaf(NamedTuple):
    """A leaf of a tree that is put together of those of several calls."""

    place: Place


def _flat(
    trees: Mapping[int, tuple[Any, Container[Place] | None]], calls: Sequence[RecordedCall]
) -> tuple[list[Place], Any]:
    """Return the places of the wanted leaves of trees, by the names of their calls, and the tree.

    All leaves are wanted if nothing says which.
    """

    def leaf(place: Place, wanted: Container[Place] | None) -> _Leaf | None:
        return _Leaf(place) if wanted is None or place in wanted else None

    whole = {
        name: jax.tree.unflatten(tree, [leaf((n, k), wanted) for k in range(tree.num_leaves)])
        for name, (n, (tree, wanted)) in zip(_names(calls), trees.items(), strict=True)
    }
    leaves, tree = jax.tree.flatten(whole, is_leaf=lambda each: isinstance(each, _Leaf))
    return [each.place for each in leaves], tree


def _names(calls: Sequence[RecordedCall]) -> list[str]:
    """Return the names of calls: those of their functions, with numbers where one comes again."""
    names = [call.jitted.name for call in calls]
    often = [names[:n].count(name) for n, name in enumerate(names, 1)]
    return [name if n == 1 else f"{name} {n}" for name, n in zip(names, often, strict=True)]
