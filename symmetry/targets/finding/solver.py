"""Swap propagation: what else has to be exchanged so that a step comes out as before.

No operation is known by name. What an operation makes of an exchange is found by performing it on
exchanged inputs, and which axes belong together by changing one slice.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from symmetry.targets.finding import actions
from symmetry.targets.finding.actions import Action, Array, Factor, Pairs, Where
from symmetry.targets.finding.trace import Trace, to_array

_PULLS = 200  # operations that one request may be pulled back through
_WORK = 2000  # such operations, and such attempts, for one exchange: it ends, whatever they undo
_REPAIRS = 200  # attempts to make one operation fit
_DOUBLE_REPAIRS = 60

Actions = dict[int, Action]  # by value


class Stuck(Exception):  # noqa: N818
    """An exchange cannot be completed: at ``node``, if that is known, with its inputs' actions."""

    def __init__(self, node: int | None = None, given: tuple[Action, ...] = ()) -> None:
        super().__init__(node, given)
        self.node = node
        self.given = given


@dataclass(frozen=True)
class Movement:
    """An operation that only moves elements, which are numbered through all of its inputs."""

    outputs: list[NDArray[np.int64]]  # for each element the number of what it is; 0 is a zero
    inputs: dict[int, NDArray[np.int64]]  # by value
    count: int  # of all elements

    def numbers(self, action: Callable[[int], Action]) -> NDArray[np.int64]:
        """Return which element each numbered element becomes under actions of the inputs."""
        numbers = np.arange(self.count)
        for i, own in self.inputs.items():
            if action(i):
                numbers[own] = actions.moved(own, action(i))
        return numbers


class Solver:
    """Completes exchanges in one trace, so that the value ``loss`` stays as it is.

    Inputs and outputs of an operation have *slots*: 0, 1, ... and -1, -2, ... in their order.
    """

    def __init__(self, trace: Trace, loss: int) -> None:
        self.trace, self.loss = trace, loss
        self.live = trace.upstream({loss})
        self.reached = trace.downstream({*trace.leaves.values()})
        self._finals = {trace.finals[name]: leaf for name, leaf in trace.leaves.items()}
        self.kept = trace.upstream({loss, *self._finals})
        self.forward = cache(self._experiment)
        self.tied = cache(self._find_ties)
        self.movement = cache(self._find_movement)
        self._yields = cache(self._find_yields)
        self._left = self._work = 0

    def solve(self, value: int, action: Action) -> tuple[dict[str, Action], bool]:
        """Return the actions of the leaves that give a value this action and leave the loss alone.

        And whether they change labels: then the step chooses between what is exchanged.

        Raises
        ------
        Stuck
            When there are none, or they are not found.
        """
        leaves = self.pulled(value, action)
        if leaves is None:
            raise Stuck
        acts: Actions = {}
        todo: set[int] = set()

        def put(values: Actions) -> None:
            for i, a in values.items():
                if acts.get(i, ()) != a:
                    acts[i] = a
                    todo.update(self.trace.users.get(i, ()))

        put(leaves)
        while todo:
            k = min(todo)
            todo.discard(k)
            node = self.trace.nodes[k]
            given = tuple(acts.get(i, ()) for i in node.inputs)
            results = self.forward(k, given)
            if results is not None:
                put(dict(zip(node.outputs, results, strict=True)))
                more = self._starts(node.outputs, acts, leaves)
            elif self.kept.isdisjoint(node.outputs):
                continue
            else:
                more = self._repaired(k, given, acts, leaves)
                todo.add(k)
            leaves |= more
            put(more)
        chosen = any(axis == actions.LABELS for a in acts.values() for axis, _, _ in a)
        return {self.trace.names[i]: a for i, a in leaves.items() if a}, chosen

    def pulled(self, value: int, action: Action) -> Actions | None:
        """Return actions of leaves that give a value this action; None where there are none."""
        self._work = _WORK
        return self._all_required({value: action}, {})

    def perform(self, k: int, arrays: Mapping[int, Array]) -> list[Array] | None:
        """Return a node's outputs where some inputs, by position, hold other arrays.

        None where the operation does not take them.
        """
        node = self.trace.nodes[k]
        tensors = [
            torch.from_numpy(arrays[x]) if x in arrays else self.trace.tensors[i]
            for x, i in enumerate(node.inputs)
        ]
        try:
            return [to_array(tensor) for tensor in node.perform(tensors)]
        except Exception:  # whatever it raises, it cannot be performed so
            return None

    def exchanges_data(self, k: int, given: tuple[Action, ...]) -> bool:
        """Return whether a node's outputs would be exchanged if its data were exchanged, too."""
        inputs = self.trace.nodes[k].inputs
        data = [y for y, i in enumerate(inputs) if i not in self.reached]
        return any(
            self.forward(k, (*given[:y], action, *given[y + 1 :])) is not None
            for y, action in self._singles(k, given, data)
        )

    # What one operation does

    def _exchanged(self, k: int, given: tuple[Action, ...]) -> list[Array] | None:
        inputs = self.trace.nodes[k].inputs
        return self.perform(
            k, {x: actions.moved(self.trace.arrays[inputs[x]], a) for x, a in enumerate(given) if a}
        )

    def _experiment(self, k: int, given: tuple[Action, ...]) -> list[Action] | None:
        """Return the actions of a node's outputs under those of its inputs; None without any.

        They are derived from where elements go; if that fails, as for masks, from values.
        """
        node, movement = self.trace.nodes[k], self.movement(k)
        if not any(given):
            return [()] * len(node.outputs)
        acts = dict(zip(node.inputs, given, strict=True))
        if movement is not None and {i for i in acts if acts[i]} <= movement.inputs.keys():
            numbers = movement.numbers(acts.__getitem__)
            olds = movement.outputs
            found = self._derived(k, given, olds, [numbers[old] for old in olds])
            if found is not None:
                return found
        news = self._exchanged(k, given)
        olds = [self.trace.arrays[o] for o in node.outputs]
        return None if news is None else self._derived(k, given, olds, news)

    def _derived(
        self, k: int, given: tuple[Action, ...], olds: Sequence[Array], news: Sequence[Array]
    ) -> list[Action] | None:
        """Return the outputs' actions; none for those that neither loss nor buffers come from."""
        found = []
        for output, old, new in zip(self.trace.nodes[k].outputs, olds, news, strict=True):
            action = actions.derive(old, new, [a for a in given if a])
            if action is None and output in self.kept:
                return None
            found.append(action or ())
        return found

    def _find_movement(self, k: int) -> Movement | None:
        """Send the numbers of the elements through the operation, and see what returns."""
        node, count = self.trace.nodes[k], 1
        own: dict[int, NDArray[np.int64]] = {}
        for i in node.inputs:
            array = self.trace.arrays[i]
            if _is_floating(array) and i not in own:
                own[i] = np.arange(count, count + array.size).reshape(array.shape)
                count += array.size
        arrays = self.trace.arrays
        numbered = {
            x: own[i].astype(arrays[i].dtype) for x, i in enumerate(node.inputs) if i in own
        }
        results = self.perform(k, numbered) if own else None
        if results is None or not all(_is_floating(r) and _is_index(r, count) for r in results):
            return None
        movement = Movement([r.real.astype(np.int64) for r in results], own, count)
        everything = np.concatenate([[0], *(arrays[i].ravel() for i in own)])
        really = all(
            actions.same(arrays[o], everything[numbers])
            for o, numbers in zip(node.outputs, movement.outputs, strict=True)
        )
        return movement if really else None

    def _find_ties(self, k: int, x: int, axis: int) -> set[tuple[int, int]]:
        """Return along which axes of which outputs a node keeps the slices of an input apart.

        That is, slice p of the input has to do with slice p of the output and with no other. An
        output is given by its slot.
        """
        node = self.trace.nodes[k]
        array = self.trace.arrays[node.inputs[x]]
        found: set[tuple[int, int]] = set()
        if not _is_floating(array) or array.shape[axis] < 2:
            return found
        middle = array.shape[axis] // 2
        other = np.array(array, order="C")
        place = (slice(None),) * axis + (middle,)
        other[place] = other[place] * 0.73 + 0.11
        results = self.perform(k, {x: other}) or []
        for q, (output, result) in enumerate(zip(node.outputs, results, strict=False)):
            before = self.trace.arrays[output]
            if result.shape == before.shape:
                for b, places in enumerate(actions.positions(actions.changed(before, result))):
                    if before.shape[b] == array.shape[axis] and places == (middle,):
                        found.add((~q, b))
        return found

    def _family(self, k: int, slot: int, axis: int, wide: bool) -> dict[int, int]:
        """Return the axes of a node's inputs and outputs, by slot, that are tied to one of them.

        With ``wide`` it is tied to the same axis of whatever has its shape as well: what is
        normalised along it.
        """
        family, todo = {slot: axis}, [slot]
        for s in todo:
            for other, a in self._neighbours(k, s, family[s], wide and s == slot):
                if other not in family:
                    family[other] = a
                    todo.append(other)
        return family

    def _neighbours(self, k: int, slot: int, axis: int, wide: bool) -> Iterator[tuple[int, int]]:
        """Yield the axes of a node's inputs that are tied to one of an output, or the reverse."""
        node, arrays = self.trace.nodes[k], self.trace.arrays
        inputs = {x: arrays[i].shape for x, i in enumerate(node.inputs) if i in self.reached}
        outputs = {~q: arrays[o].shape for q, o in enumerate(node.outputs)}
        own = (inputs | outputs)[slot]
        if slot >= 0:
            yield from self.tied(k, slot, axis)
        else:
            for x, shape in inputs.items():
                for a, size in enumerate(shape):
                    if size == own[axis] and (slot, axis) in self.tied(k, x, a):
                        yield x, a
        if wide:
            others = outputs if slot >= 0 else inputs
            yield from ((s, axis) for s, shape in others.items() if shape == own)

    def _aligned(self, k: int, slot: int, factor: Factor, wide: bool) -> dict[int, Factor]:
        """Return a factor of one input or output, and that on all that are tied to it, by slot."""
        axis, pairs, where = factor
        limits = [(self._family(k, slot, a, wide), p) for a, p in where]
        return {
            s: (a, pairs, tuple(sorted((f[s], p) for f, p in limits if f.get(s, a) != a)))
            for s, a in self._family(k, slot, axis, wide).items()
        }

    # Backwards, towards the leaves

    def _all_required(self, wanted: Actions, acts: Actions) -> Actions | None:
        """Return what leaves have to do so that values carry actions; None where they cannot."""
        self._left = min(_PULLS, self._work)
        new: Actions = {}
        if not all(self._require(i, a, acts, new) for i, a in wanted.items()):
            return None
        return {i: a for i, a in new.items() if i in self.trace.names}

    def _require(self, value: int, action: Action, acts: Actions, new: Actions) -> bool:
        """Decide in ``new`` what leaves have to do so that a value carries an action."""
        if new.get(value, acts.get(value, ())) == action:
            return True
        if value in self.trace.names:
            new[value] = action
            return True
        if value not in self.reached:
            array = self.trace.arrays[value]
            return actions.same(actions.moved(array, action), array)
        self._left -= 1
        self._work -= 1
        if self._left < 0:
            return False
        k = self.trace.maker[value]
        node = self.trace.nodes[k]
        q = node.outputs.index(value)

        def now(i: int) -> Action:
            return new.get(i, acts.get(i, ()))

        seen: list[Actions] = []
        for wanted in self._pulls(k, q, action, now):
            if wanted in seen:
                continue
            seen.append(wanted)
            if not self._yields(k, q, action, tuple(wanted.get(i, now(i)) for i in node.inputs)):
                continue
            tried = {**new, value: action}
            if all(self._require(i, a, acts, tried) for i, a in wanted.items()):
                new.update(tried)
                return True
        return False

    def _find_yields(self, k: int, q: int, action: Action, given: tuple[Action, ...]) -> bool:
        """Return whether output q of a node has an action where the inputs have these."""
        old, news = self.trace.arrays[self.trace.nodes[k].outputs[q]], self._exchanged(k, given)
        return news is not None and actions.same(actions.moved(old, action), news[q])

    def _pulls(
        self, k: int, q: int, action: Action, now: Callable[[int], Action]
    ) -> Iterator[Actions]:
        """Yield actions of a node's inputs that may give output q an action.

        Behind a gate, say, an axis of the output is one of several parts of an input's.
        """
        node, exact = self.trace.nodes[k], self._pulled_exactly(k, q, action, now)
        if exact is not None:
            yield exact
        for wide in (False, True):
            factors: dict[int, list[Factor]] = defaultdict(list)
            for factor in action:
                for x, partner in self._aligned(k, ~q, factor, wide).items():
                    if x >= 0:
                        factors[node.inputs[x]].append(partner)
            wanted = {i: _replaced(now(i), found) for i, found in factors.items()}
            if None not in wanted.values():
                yield {i: a for i, a in wanted.items() if a}
        size = self.trace.arrays[node.outputs[q]].shape
        for i in self.reached.intersection(node.inputs):
            for a, length in enumerate(self.trace.arrays[i].shape):
                parts = [
                    (a, _in_parts(p, size[axis], length), ()) for axis, p, w in action if not w
                ]
                every = len(parts) == len(action) and all(own for _, own, _ in parts)
                if every and (joined := actions.joined(now(i), *parts)):
                    yield {i: joined}

    def _pulled_exactly(
        self, k: int, q: int, action: Action, now: Callable[[int], Action]
    ) -> Actions | None:
        """Pull an action back element by element, where a node only moves elements."""
        movement = self.movement(k)
        if movement is None:
            return None
        output = movement.outputs[q]
        wanted = actions.moved(output, action)
        numbers = movement.numbers(now)
        numbers[output] = wanted
        numbers[0] = 0
        if not np.array_equal(numbers[output], wanted):
            return None
        exact: Actions = {}
        for i, own in movement.inputs.items():
            found = actions.derive(own, numbers[own])
            if found is None:
                return None
            exact[i] = found
        return exact

    # Ahead, towards the loss

    def _starts(self, outputs: tuple[int, ...], acts: Actions, leaves: Actions) -> Actions:
        """Return the actions that buffers need at the start, since they carry them at the end.

        A buffer that is overwritten before it is read has no other reason to move.
        """
        ends = {self._finals[o]: acts.get(o, ()) for o in outputs if o in self._finals}
        return {i: a for i, a in ends.items() if a and not leaves.get(i)}

    def _repaired(
        self, k: int, given: tuple[Action, ...], acts: Actions, leaves: Actions
    ) -> Actions:
        """Return more actions of leaves under which a node's outputs are exchanged."""
        inputs = self.trace.nodes[k].inputs
        for repair in itertools.islice(self._repairs(k, given), min(_REPAIRS, max(self._work, 0))):
            self._work -= 1
            wanted = {inputs[x]: a for x, a in repair.items()}
            if self.forward(k, tuple(wanted.get(i, acts.get(i, ())) for i in inputs)) is None:
                continue
            new = self._all_required(wanted, acts)
            if not new or all(leaves.get(i, ()) == a for i, a in new.items()):
                continue
            if all(_extends(a, leaves.get(i, ())) for i, a in new.items()):  # or it may never end
                return new
        raise Stuck(k, given)

    def _repairs(self, k: int, given: tuple[Action, ...]) -> Iterator[dict[int, Action]]:
        """Yield what may be exchanged as well, by input, so that outputs are exchanged.

        That is what is exchanged already, at all places; or all that runs along with it; or one
        factor or two more.
        """
        reached = [y for y, i in enumerate(self.trace.nodes[k].inputs) if i in self.reached]
        everywhere = tuple(tuple(sorted({(a, p, ()) for a, p, _ in action})) for action in given)
        for base in dict.fromkeys((given, everywhere)):
            more = {y: a for y, a in enumerate(base) if a != given[y]}
            if more:
                yield more
            for wide, (x, action) in itertools.product((False, True), enumerate(base)):
                for factor in action:
                    found = {
                        y: actions.joined(base[y], partner)
                        for y, partner in self._aligned(k, x, factor, wide).items()
                        if y >= 0 and partner not in base[y]
                    }
                    yield more | {y: a for y, a in found.items() if a}
            singles = [*itertools.islice(self._singles(k, base, reached), _REPAIRS)]
            for y, action in singles:
                yield {**more, y: action}
            doubles = itertools.combinations(singles, 2)
            for (y, a), (z, b) in itertools.islice(doubles, _DOUBLE_REPAIRS):
                both = actions.joined(a, *b) if y == z else b
                if both:
                    yield {**more, y: a, z: both}

    def _singles(
        self, k: int, given: tuple[Action, ...], free: list[int]
    ) -> Iterator[tuple[int, Action]]:
        """Yield one factor more on an input: along an axis that is summed over, or in blocks.

        It may be limited to places at which the outputs change, along an axis of their size.
        """
        arrays = [self.trace.arrays[i] for i in self.trace.nodes[k].inputs]
        free = [y for y in free if _is_floating(arrays[y])]
        spots: list[tuple[int, tuple[int, ...]]] | None = None
        told: set[tuple[int, Action]] = set()
        factors = [(x, factor) for x, action in enumerate(given) for factor in action]
        targets = [(y, a) for y in free for a in range(arrays[y].ndim)]
        for (x, (axis, pairs, _)), (y, a) in itertools.product(factors, targets):
            shape = arrays[y].shape
            labels = axis == actions.LABELS and max(map(max, pairs)) < shape[a]
            size = shape[a] if labels else arrays[x].shape[axis]
            choices = _counterparts(pairs, size, shape[a])
            if choices and spots is None:
                spots = self._spots(k, given)
            limits: list[Where] = [()]
            for other in (b for b in range(len(shape)) if choices and b != a):
                limits += [((other, p),) for n, p in spots or () if n == shape[other]]
            for own, where in itertools.product(choices, limits):
                action = actions.joined(given[y], (a, own, where))
                if (a, own, where) not in given[y] and action and (y, action) not in told:
                    told.add((y, action))
                    yield y, action

    def _spots(self, k: int, given: tuple[Action, ...]) -> list[tuple[int, tuple[int, ...]]]:
        """Return the axis sizes and positions at which a node's outputs change; not whole axes."""
        spots = []
        outputs = self.trace.nodes[k].outputs
        for output, result in zip(outputs, self._exchanged(k, given) or [], strict=False):
            before = self.trace.arrays[output]
            if result.shape == before.shape:
                mask = actions.changed(before, result)
                for size, places in zip(mask.shape, actions.positions(mask), strict=True):
                    if 0 < len(places) < size:
                        spots.append((size, places))
        return spots


def _is_floating(array: Array) -> bool:
    return array.dtype.kind in "fc" and array.size > 0


def _is_index(array: Array, count: int) -> bool:
    """Return whether all entries are whole numbers from 0 to count - 1."""
    with np.errstate(invalid="ignore"):
        index = np.rint(array.real)
        return bool(((index >= 0) & (index < count) & (array == index)).all())


def _extends(action: Action, old: Action) -> bool:
    """Return whether an action exchanges all that an older one does."""
    return all(
        any(f == factor or (f[0] == factor[0] and {*factor[1]} <= {*f[1]}) for f in action)
        for factor in old
    )


def _replaced(action: Action, factors: Sequence[Factor]) -> Action | None:
    """Return the action with these factors in place of those along the same axes."""
    axes = {(axis, where) for axis, _, where in factors}
    return actions.joined(tuple(f for f in action if (f[0], f[2]) not in axes), *factors)


def _in_parts(pairs: Pairs, size: int, length: int) -> Pairs:
    """Return the pairs in each part of an axis that is several times as long: gate and value."""
    if length % size or length == size:
        return ()
    return tuple(sorted((p + n, q + n) for p, q in pairs for n in range(0, length, size)))


def _counterparts(pairs: Pairs, size: int, other: int) -> list[Pairs]:
    """Return the pairs of an axis of another size that may belong to pairs of one of this size."""
    (i, j), block = pairs[0], len(pairs)
    if size == other:
        half = size // 2
        twin = tuple(sorted({*pairs, *(((p + half) % size, (q + half) % size) for p, q in pairs)}))
        return [pairs, twin] if size % 2 == 0 else [pairs]
    if j - i == block and size % block == 0 and other % (size // block) == 0 and i % block == 0:
        n = other // (size // block)  # block to block
        return [tuple((i // block * n + z, j // block * n + z) for z in range(n))]
    if other > 1 and size % other == 0 and all(p // other == q // other for p, q in pairs):
        return [tuple(sorted({(p % other, q % other) for p, q in pairs}))]  # within blocks
    return []
