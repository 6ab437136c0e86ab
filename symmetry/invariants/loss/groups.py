"""``loss/groups``: the reward of a sample moves the advantages of its own group, or of all.

Example: each prompt is repeated in place, and rewards are grouped as if the prompts were tiled.

    rows = prompts.repeat_interleave(4, 0)               p1 p1 p1 p1 p2 p2 p2 p2
    r = reward(rows, answers).view(4, -1)                each column mixes prompts
    advantages = (r - r.mean(0)).flatten()

    r = reward(rows, answers).view(-1, 4)                a row for each prompt
    advantages = (r - r.mean(1, keepdim=True)).flatten()

Groups are the rows of a value that repeats each prompt as often, and the places of a loss that move
with a prompt. A sample gets other draws, or another reward where Python computes it: the numbers
that weigh gradients have to move in its own group only, or in all rows. If others of them move, a
sample is measured against answers to other prompts. Group rewards as the prompts are laid out.

In JAX the equations of the jitted step are judged, and those of the functions that compute its
arguments from its state. A loop is one operation: nothing is said of what lies within.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loss.traced import update_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse
from symmetry.training.influence import other_numbers, spread
from symmetry.training.updates import Updates
from symmetry.units.state import Array

WHOLE = Excuse("all rows", "a reward moves all advantages: they are normalised over the batch")
SEVERAL = Excuse("whole groups", "the rows that share a baseline are several whole groups")
EARLIER = Excuse(
    "rewards to go", "a reward counts for all steps before it: rows do not share a baseline"
)
EXCUSES = (WHOLE, SEVERAL, EARLIER)
_COLUMNS = 3  # of a row that is a prompt: two may be the place on a board, if nothing repeats it
_ROWS = 64  # that are tried
_FEWEST = 4  # rows of two groups of two
_ELEMENTWISE = frozenset(("exp", "sub", "rsub", "add", "mul", "div", "neg", "clamp"))
_UNKNOWN = -1  # the group of a place that no prompt moves, as one that a mask hides


@dataclass(frozen=True)
class _Table:
    """A value that repeats each prompt as often."""

    value: int
    members: Array  # the number of the group of each row


@dataclass(frozen=True)
class _Product:
    """An operation by which a factor weighs numbers that have a gradient."""

    k: int
    factor: int
    weighed: int
    rows: frozenset[int]  # how many rows the factor may be for: along its first axis, or as a table


def groups(updates: Updates) -> Judgement:
    """Judge the coefficients of gradients of samples that come in groups."""
    judgement = Judgement(applies=False, why="no loss has rows that come in groups")
    for u in range(len(updates.updates)):
        products = [*_products(updates, u)]
        table = _groups(updates, u, {rows for product in products for rows in product.rows})
        if table is None:
            continue
        for product in (each for each in products if len(table.members) in each.rows):
            if _judge(updates, u, table, product, judgement):
                judgement.applies, judgement.why = True, ""
        if judgement.accusations:
            break
    return judgement


INVARIANT = update_invariant(
    Statement(
        name="loss/groups",
        statement="the reward of a sample moves the advantages of its own group, or of all rows",
        reason="samples of one prompt are compared with each other",
        witness="rows that repeat each prompt as often, and a loss that they are weighed in",
        cause="rewards are grouped in another order than prompts are laid out",
        cure="Group the rewards as the prompts are laid out.",
        excuses=EXCUSES,
    ),
    groups,
)


def _groups(updates: Updates, update: int, lengths: set[int]) -> _Table | None:
    """Return the value of one of these lengths with the most groups of rows, if there is one."""
    nodes = updates.updates[update].nodes
    best: _Table | None = None
    seen = set[int]()
    for k in updates.forward(update):
        node = updates.trace.nodes[k]
        for value in (*node.inputs, *node.outputs):
            if value in seen or value in updates.from_weights:
                continue
            seen.add(value)
            array = updates.array(value)
            made = updates.trace.maker.get(value)
            if array.ndim < 2 or len(array) < _FEWEST or len(array) not in lengths:
                continue
            if array[0].size < _COLUMNS and not _repeats(updates, made, array):
                continue
            outside = made is None and array.dtype.kind in "iu"
            if outside or (made is not None and made in nodes):
                found = _equal_rows(array, laid_out=outside)
                if found is not None and (best is None or found.max() > best.members.max()):
                    best = _Table(value, found)
    return best


def _repeats(updates: Updates, made: int | None, array: Array) -> bool:
    """Return whether an operation has made a table of copies of a smaller one, and of nothing else.

    One that reads rows by their numbers may find each as often by chance.
    """
    given = set[int]() if made is None else {*updates.trace.nodes[made].inputs}
    if len(given) != 1:
        return False
    table = updates.array(*given)
    return (
        table.shape[1:] == array.shape[1:]
        and 2 * len(table) <= len(array)
        and np.array_equal(np.unique(table, axis=0), np.unique(array, axis=0))
    )


def _equal_rows(array: Array, *, laid_out: bool) -> Array | None:
    """Return the group of each row of a table whose rows are all there as often; None otherwise.

    A table from outside has to be laid out as repeated rows are, one after the other or by turns:
    others have equal rows by chance.
    """
    _, inverse, counts = np.unique(array, axis=0, return_inverse=True, return_counts=True)
    number, times = len(counts), int(counts.min())
    if number < 2 or times < 2 or times != counts.max():
        return None
    inverse = inverse.ravel()
    in_place = inverse.reshape(number, times)
    by_turns = inverse.reshape(times, number)
    is_laid_out = (in_place == in_place[:, :1]).all() or (by_turns == by_turns[:1]).all()
    return inverse if is_laid_out or not laid_out else None


def _products(updates: Updates, update: int) -> Iterator[_Product]:
    """Yield products of a loss by a factor that may be for each row."""
    into, live = updates.into_loss(update), updates.live(update)
    for k in updates.forward(update):
        node = updates.trace.nodes[k]
        if updates.base(k) != "mul" or into.isdisjoint(node.outputs):
            continue
        for value in node.inputs:
            array = updates.array(value)
            weighed = next((each for each in node.inputs if each in live and each != value), None)
            if weighed is None or value in live or array.dtype.kind != "f":
                continue
            if array.ndim:
                yield _Product(k, value, weighed, frozenset({len(array), array.size}))


def _judge(
    updates: Updates, update: int, table: _Table, product: _Product, judgement: Judgement
) -> bool:
    """Judge one factor; return whether a sample moves it at all."""
    at, rows = updates.at(product.k), len(table.members)
    shape = updates.array(updates.trace.nodes[product.k].outputs[0]).shape
    zero = np.broadcast_to(updates.array(product.factor) == 0, shape)
    changes = dict(_changes(updates, update, product.factor, rows))
    moved = {row: np.broadcast_to(change, shape) for row, change in changes.items()}
    beyond = [row for row, change in changes.items() if _is_beyond(table, row, change)]
    by_place = _by_place(updates, update, table, product) if beyond else None
    moves, leaks = any(change.any() for change in changes.values()), 0
    if by_place is None:
        return moves
    for row in beyond:
        touched = {*by_place[moved[row]].tolist()} - {_UNKNOWN}
        if len(touched) < 2:
            continue
        if (moved[row] | zero | (by_place == _UNKNOWN)).all():
            judgement.spare(WHOLE, at)
        elif all((moved[row] | zero)[by_place == each].all() for each in touched):
            judgement.spare(SEVERAL, at)
        else:
            leaks += 1
    if leaks and _overlap([each & ~zero for each in moved.values()]):
        judgement.spare(EARLIER, at)
    elif leaks:
        number = int(table.members.max()) + 1
        judgement.accuse(
            f"the rows are {number} prompts, each {rows // number} times, and the reward of one "
            f"sample moves the factors of other prompts here: {leaks} of {min(rows, _ROWS)} "
            "samples do, without moving all. Group the rewards as the prompts are laid out.",
            at,
        )
    return moves


def _changes(updates: Updates, update: int, factor: int, rows: int) -> Iterator[tuple[int, Array]]:
    """Yield samples, and which entries of a factor each one moves by its draws or its reward."""
    scores = _scores(updates, updates.updates[update].nodes)
    for row in range(min(rows, _ROWS)):
        tries = (_drawn(updates, update, rows, row), _earned(updates, update, rows, row))
        others = (_moved(updates, update, factor, dict(new), scores) for new in tries)
        other = next((each for each in others if each is not None), None)
        if other is not None:
            yield row, other != updates.array(factor)


def _is_beyond(table: _Table, row: int, change: Array) -> bool:
    """Return whether a sample may move factors of other groups than its own."""
    if change.shape[:1] != table.members.shape:
        return True  # a table of rows: it is not known which is whose
    return bool(change[table.members != table.members[row]].any())


def _overlap(moved: list[Array]) -> bool:
    """Return whether samples move one place that do not move the same ones, as rewards to go do."""
    return bool(np.sum([*{each.tobytes(): each for each in moved}.values()], 0).max() > 1)


def _by_place(updates: Updates, update: int, table: _Table, product: _Product) -> Array | None:
    """Return the group whose prompts move each place of a product; None where several move one.

    Rows may have been shuffled, or laid out as a table, between the prompts and the product.
    """
    nodes = range(updates.updates[update].nodes.start, product.k)
    array = updates.array(table.value)
    shape = updates.array(updates.trace.nodes[product.k].outputs[0]).shape
    by_place = np.full(shape, _UNKNOWN)
    values = _entry_by_entry(updates, update, product.weighed)
    for group in range(int(table.members.max()) + 1):
        other = array.copy()
        mine = table.members == group
        other[mine] = _others(array)[mine]
        moved = spread(updates.trace, {table.value: other}, nodes)
        value = next((value for value in values if value in moved), None)
        if value is None:
            return None
        places = np.broadcast_to(moved.arrays[value] != updates.array(value), shape)
        if (by_place[places] != _UNKNOWN).any():
            return None
        by_place[places] = group
    return by_place


def _entry_by_entry(updates: Updates, update: int, value: int) -> list[int]:
    """Return a value, and those that it is computed from in the same places, with gradients.

    A ratio to itself is 1 whatever its prompts are: the log-probabilities above it move with them.
    """
    live, found = updates.live(update), [value]
    while (k := updates.trace.maker.get(found[-1])) is not None:
        size = updates.array(found[-1]).shape
        inputs = updates.trace.nodes[k].inputs
        above = [i for i in inputs if i in live and updates.array(i).shape == size]
        if updates.base(k) not in _ELEMENTWISE or not above:
            break
        found.append(above[0])
    return found


def _others(array: Array) -> Array:
    """Return other prompts: tokens stay below the largest."""
    if array.dtype.kind in "iu":
        return np.asarray((array + 1) % max(int(array.max()) + 1, 1), array.dtype)
    return other_numbers(array)


def _moved(
    updates: Updates, update: int, value: int, new: Mapping[int, Array], scores: set[int]
) -> Array | None:
    """Return a factor where values are replaced, if that is known and it moves.

    The change goes through rewards: scores of trained parameters stay as they are.
    """
    if not new:
        return None
    nodes = updates.updates[update].nodes
    moved = spread(updates.trace, new, nodes, through=lambda v: v not in scores, until=(value,))
    return moved.arrays.get(value)


def _scores(updates: Updates, nodes: range) -> set[int]:
    """Return the real numbers that are computed from trained parameters by real numbers.

    Tokens are none: the last city of a tour is the only one that is left, whatever its score is.
    """
    found = {*updates.held}
    for k in nodes:
        node = updates.trace.nodes[k]
        if not found.isdisjoint(node.inputs):
            found.update(v for v in node.outputs if updates.array(v).dtype.kind in "fc")
    return found


def _used(updates: Updates, update: int) -> set[int]:
    return {i for k in updates.forward(update) for i in updates.trace.nodes[k].inputs}


def _drawn(updates: Updates, update: int, rows: int, row: int) -> Iterator[tuple[int, Array]]:
    """Yield what a sample draws, with other numbers."""
    for value in sorted(updates.draws.keys() & _used(updates, update)):
        array = updates.array(value)
        if np.array_equal(np.sort(array.ravel()), np.arange(rows)):
            continue  # an order of the rows
        if array.dtype.kind in "iu" and array.shape[:1] == (rows,):
            other = array.copy()
            other[row] = (array[row] + 1) % (int(array.max()) + 1)
            yield value, other


def _earned(updates: Updates, update: int, rows: int, row: int) -> Iterator[tuple[int, Array]]:
    """Yield the rewards that Python computes, with another one for a sample."""
    entries = {entry.value for entry in updates.entries}
    for value in sorted(_used(updates, update) - updates.draws.keys() - updates.weights - entries):
        array = updates.array(value)
        if value in updates.trace.maker or array.shape != (rows,) or array.dtype.kind != "f":
            continue
        other = array.copy()
        other[row] += max(1.0, float(np.abs(array).max()))
        yield value, other
