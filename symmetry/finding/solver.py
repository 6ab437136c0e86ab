"""Swap propagation: what else has to be exchanged so that a step comes out as before.

No operation is known by name. What an operation makes of an exchange is found by performing it on
exchanged inputs, and which axes belong together by changing one slice.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from symmetry.finding import actions
from symmetry.finding.actions import Action, Array, Factor, Pairs, Where
from symmetry.training.trace import Trace

_PULLS = 200  # operations that one request may be pulled back through
_WORK = 2000  # such operations, and such attempts, for one exchange: it ends, whatever they undo
_FEW = 6  # attempts to pull something back through one operation
_MORE = 60  # attempts to make one operation fit with one factor more, or with two

Actions = dict[int, Action]  # by value
Known = tuple[int, Factor]  # by slot
Place = tuple[int, int]  # a slot and an axis
Outcome = tuple[dict[str, Action], bool]  # what the leaves do, and whether that changes labels


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


class Solver:
    """Completes exchanges in one trace, so that its loss stays as it is.

    Inputs and outputs of an operation have *slots*: 0, 1, ... and -1, -2, ... in their order.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.live = trace.upstream({trace.loss})
        self.reached = trace.downstream({*trace.leaves.values()})
        self._finals = {trace.finals[name]: leaf for name, leaf in trace.leaves.items()}
        self.kept = trace.upstream({trace.loss, *self._finals})
        self.forward = cache(self._experiment)
        self.ties = cache(self._find_ties)
        self.movement = cache(self._find_movement)
        self._yields = cache(self._find_yields)
        self._pulled_exactly = cache(self._find_exact)
        self._spots = cache(self._find_spots)
        self._left = self._work = 0
        self._pinned: Actions = {}
        self._sources = _sources(trace)
        # What values cannot be made to do, and with how many attempts.
        self._failed: dict[tuple[int, Action], int] = {}
        # By what leaves do: how their exchange ends, and the work that it may take to find out.
        self._outcomes: dict[frozenset[tuple[int, Action]], tuple[Outcome | Stuck, int]] = {}

    def solve(self, leaves: Actions, *, alone: bool = False) -> tuple[dict[str, Action], bool]:
        """Return actions of the leaves that include these and leave the loss alone.

        And whether they change labels: then the step chooses between what is exchanged. ``alone``:
        of the leaves that are given nothing else is exchanged.

        Raises
        ------
        Stuck
            When there are none, or they are not found.
        """
        self._pinned = leaves if alone else {}
        self._work, passed = _WORK, list[tuple[frozenset[tuple[int, Action]], int]]()
        try:
            outcome: Outcome | Stuck = self._completed(leaves, passed)
        except Stuck as stuck:
            outcome = stuck
        for key, work in () if alone else passed:
            self._outcomes[key] = outcome, work if self._work <= 0 else _WORK
        if isinstance(outcome, Stuck):
            raise outcome
        return outcome

    def _completed(
        self, leaves: Actions, passed: list[tuple[frozenset[tuple[int, Action]], int]]
    ) -> Outcome:
        """Follow an exchange of leaves through the trace, with more leaves where it gets stuck.

        Whatever it began with, what leaves do decides on how it ends. What they did each time that
        it got stuck, and the work that was left, goes into ``passed``.
        """
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
                if self._passes_over(k, given, results):
                    raise Stuck(k, given)
                put(dict(zip(node.outputs, results, strict=True)))
                more = self._starts(node.outputs, acts, leaves)
            elif self.kept.isdisjoint(node.outputs):
                continue
            else:
                key = frozenset(leaves.items())
                outcome, work = self._outcomes.get(key, (None, 0))
                if outcome is not None and self._work <= work and not self._pinned:
                    if isinstance(outcome, Stuck):
                        raise outcome
                    return outcome
                passed.append((key, self._work))
                more = self._repaired(k, given, acts, leaves)
                todo.add(k)
            leaves = {**leaves, **more}
            put(more)
        chosen = any(axis == actions.LABELS for a in acts.values() for axis, _, _ in a)
        return {self.trace.names[i]: a for i, a in leaves.items() if a}, chosen

    def _passes_over(self, k: int, given: tuple[Action, ...], results: list[Action]) -> bool:
        """Return whether an operation numbers others than what is exchanged, as top-k may.

        From another start it may number one of the two: nobody knows what has to go along then.
        """
        return any(given) and any(
            not action and value in self.kept and self.trace.arrays[value].dtype.kind == "i"
            for value, action in zip(self.trace.nodes[k].outputs, results, strict=True)
        )

    def pulled(self, value: int, action: Action) -> Actions | None:
        """Return actions of leaves that give a value this action; None where there are none."""
        self._work = _WORK
        return self._all_required({value: action}, {})

    def exchanges_data(self, k: int, given: tuple[Action, ...]) -> bool:
        """Return whether a node's outputs would be exchanged if its data were exchanged, too."""
        known = [(x, factor) for x, action in enumerate(given) for factor in action]
        return any(
            self.forward(k, (*given[:y], _with(given[y], [factor]) or (), *given[y + 1 :]))
            is not None
            for y, factor in self._singles(k, known, given, data=True)
        )

    @cached_property
    def chooses(self) -> bool:
        """Whether the step looks at what it makes of leaves: others may lead to other operations.

        It looks at whole numbers and truth values, and at what it takes out of a tensor.
        """
        arrays = self.trace.arrays
        made = (
            node.outputs for node in self.trace.nodes if not self.reached.isdisjoint(node.inputs)
        )
        return any(not own or any(arrays[o].dtype.kind not in "fc" for o in own) for own in made)

    # What one operation does

    def _moved(self, k: int, given: tuple[Action, ...]) -> dict[int, Array]:
        inputs = self.trace.nodes[k].inputs
        return {x: actions.moved(self.trace.arrays[inputs[x]], a) for x, a in enumerate(given) if a}

    def _experiment(self, k: int, given: tuple[Action, ...]) -> list[Action] | None:
        """Return the actions of a node's outputs under those of its inputs; None without any.

        For outputs that neither loss nor buffers come from there need be none.
        """
        node, found = self.trace.nodes[k], list[Action]()
        if not any(given):
            return [()] * len(node.outputs)
        if exact := self._pushed(k, given):
            return exact
        news = self.trace.perform(k, self._moved(k, given))
        if news is None:
            return None
        for output, new in zip(node.outputs, news, strict=True):
            action = actions.derive(self.trace.arrays[output], new, [a for a in given if a])
            if action is None and output in self.kept:
                return None
            found.append(action or ())
        return found

    def _pushed(self, k: int, given: tuple[Action, ...]) -> list[Action] | None:
        """Push actions through a node that only moves elements: of zeros, say, many are equal."""
        movement, inputs = self.movement(k), self.trace.nodes[k].inputs
        if movement is None or any(
            a and i not in movement.inputs for i, a in zip(inputs, given, strict=True)
        ):
            return None
        numbers = self._numbered(k, movement, given)
        found = [actions.derive(output, numbers[output]) for output in movement.outputs]
        return [a for a in found if a is not None] if None not in found else None

    def _numbered(self, k: int, movement: Movement, given: tuple[Action, ...]) -> NDArray[np.int64]:
        """Return for each element the number of the one in its place under these actions."""
        numbers = np.arange(movement.count)
        for i, own in movement.inputs.items():
            numbers[own] = actions.moved(own, given[self.trace.nodes[k].inputs.index(i)])
        return numbers

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
        results = self.trace.perform(k, numbered) if own else None
        if results is None or not all(_is_floating(r) and _is_index(r, count) for r in results):
            return None
        movement = Movement([r.real.astype(np.int64) for r in results], own, count)
        everything = np.concatenate([[0], *(arrays[i].ravel() for i in own)])
        really = all(
            actions.same(arrays[o], everything[numbers])
            for o, numbers in zip(node.outputs, movement.outputs, strict=True)
        )
        return movement if really else None

    def _find_ties(self, k: int, size: int) -> list[tuple[Place, Place]]:
        """Return which axes of a node's inputs and outputs have slices that it keeps apart.

        That is, slice p of the input has to do with slice p of the output and with no other. All
        have this size.
        """
        node, found = self.trace.nodes[k], []
        for x, i in enumerate(node.inputs):
            array = self.trace.arrays[i]
            if i not in self.reached or not _is_floating(array) or size < 2:
                continue
            for axis in (a for a, own in enumerate(array.shape) if own == size):
                place = (slice(None),) * axis + (size // 2,)
                other = np.array(array, order="C")
                other[place] = other[place] * 0.73 + 0.11
                for q, mask in enumerate(self._changes(k, {x: other})):
                    for b, places in enumerate(actions.positions(mask)):
                        if mask.shape[b] == size and places == (size // 2,):
                            found.append(((x, axis), (~q, b)))
        return found

    def _changes(self, k: int, arrays: Mapping[int, Array]) -> list[NDArray[np.bool_]]:
        """Return where outputs differ if some inputs, by position, hold other arrays."""
        olds = [self.trace.arrays[o] for o in self.trace.nodes[k].outputs]
        news = self.trace.perform(k, arrays) or olds
        return [
            actions.changed(old, new) if old.shape == new.shape else np.zeros((), bool)
            for old, new in zip(olds, news, strict=False)
        ]

    def _family(self, k: int, slot: int, axis: int) -> dict[int, int]:
        """Return the axes of a node's inputs and outputs, by slot, that are tied to one of them."""
        family, todo = {slot: axis}, [(slot, axis)]
        ties = self.ties(k, self._shape(k, slot)[axis])
        for place in todo:
            for pair in ties:
                for s, a in pair if place in pair else ():
                    if s not in family:
                        family[s] = a
                        todo.append((s, a))
        return family

    def _shape(self, k: int, slot: int) -> tuple[int, ...]:
        node = self.trace.nodes[k]
        return self.trace.arrays[node.inputs[slot] if slot >= 0 else node.outputs[~slot]].shape

    # Backwards, towards the leaves

    def _all_required(self, wanted: Actions, acts: Actions) -> Actions | None:
        """Return what leaves have to do so that values carry actions; None where they cannot."""
        self._left = min(_PULLS, self._work)
        new: Actions = {}
        if not all(self._require(i, a, acts, new) for i, a in wanted.items()):
            return None
        return {i: a for i, a in new.items() if i in self.trace.names}

    def _require(self, value: int, action: Action, acts: Actions, new: Actions) -> bool:
        """Decide in ``new`` what leaves have to do so that a value carries an action.

        Where nothing is decided yet of the leaves that the value comes from, what cannot be done
        once can never be done: not with as few attempts as were left then.
        """
        if new.get(value, acts.get(value, ())) == action:
            return True
        if value in self.trace.names:
            new[value] = action
            return True
        if value not in self.reached:
            array = self.trace.arrays[value]
            return actions.same(actions.moved(array, action), array)
        left, key = self._left, (value, action)
        free = self._sources[value].isdisjoint(
            i for which in (acts, new) for i in which if which[i]
        )
        if free and left <= self._failed.get(key, -1):
            return False
        done = self._pulled_back(value, action, acts, new)
        if free and not done:
            self._failed[key] = left if self._left < 0 else _PULLS
        return done

    def _pulled_back(self, value: int, action: Action, acts: Actions, new: Actions) -> bool:
        """Do the same through the operation that makes the value."""
        self._left -= 1
        self._work -= 1
        if self._left < 0:
            return False
        k = self.trace.maker[value]
        node = self.trace.nodes[k]
        q = node.outputs.index(value)

        given = tuple(new.get(i, acts.get(i, ())) for i in node.inputs)
        seen: list[Actions] = []
        for wanted in self._pulls(k, q, action, given):
            if wanted in seen:
                continue
            seen.append(wanted)
            pulled = tuple(wanted.get(i, a) for i, a in zip(node.inputs, given, strict=True))
            if not self._yields(k, q, action, pulled):
                continue
            tried = {**new, value: action}
            if all(self._require(i, a, acts, tried) for i, a in wanted.items()):
                new.update(tried)
                return True
        return False

    def _find_yields(self, k: int, q: int, action: Action, given: tuple[Action, ...]) -> bool:
        """Return whether output q of a node has an action where the inputs have these."""
        old = self.trace.arrays[self.trace.nodes[k].outputs[q]]
        news = self.trace.perform(k, self._moved(k, given))
        return news is not None and actions.same(actions.moved(old, action), news[q])

    def _pulls(
        self, k: int, q: int, action: Action, given: tuple[Action, ...]
    ) -> Iterator[Actions]:
        """Yield actions of a node's inputs that may give output q an action."""
        exact = self._pulled_exactly(k, q, action, given)
        if exact is not None:
            yield exact
        known = [(~q, factor) for factor in action]
        yield from itertools.islice(self._candidates(k, known, given, 1), _FEW)

    def _find_exact(
        self, k: int, q: int, action: Action, given: tuple[Action, ...]
    ) -> Actions | None:
        """Pull an action back element by element, where a node only moves elements."""
        movement = self.movement(k)
        if movement is None:
            return None
        output, numbers = movement.outputs[q], self._numbered(k, movement, given)
        wanted = actions.moved(output, action)
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
        for wanted in itertools.islice(self._repairs(k, given), max(self._work, 0)):
            self._work -= 1
            if self.forward(k, tuple(wanted.get(i, acts.get(i, ())) for i in inputs)) is None:
                continue
            new = self._all_required(wanted, acts)
            if not new or all(leaves.get(i, ()) == a for i, a in new.items()):
                continue
            if any(new.get(i, a) != a for i, a in self._pinned.items()):
                continue
            if all(_extends(a, leaves.get(i, ())) for i, a in new.items()):  # or it may never end
                return new
        raise Stuck(k, given)

    def _repairs(self, k: int, given: tuple[Action, ...]) -> Iterator[Actions]:
        """Yield what else to exchange so that outputs are exchanged: here, or at all places."""
        everywhere = tuple(tuple(sorted({(a, p, ()) for a, p, _ in action})) for action in given)
        for base in dict.fromkeys((given, everywhere)):
            known = [(x, factor) for x, action in enumerate(base) for factor in action]
            yield from self._candidates(k, known, base, 2)

    # What inputs do, where some inputs or outputs, by slot, are known to do something

    def _candidates(
        self, k: int, known: list[Known], given: tuple[Action, ...], most: int
    ) -> Iterator[Actions]:
        """Yield what runs along with all that is known, by value, and with a few factors more."""
        yield self._alongside(k, known, given)
        singles = [*itertools.islice(self._singles(k, known, given), _MORE)]
        for number in range(1, most + 1):
            for more in itertools.islice(itertools.combinations(singles, number), _MORE):
                yield self._alongside(k, [*known, *more], given)

    def _alongside(self, k: int, known: Sequence[Known], given: tuple[Action, ...]) -> Actions:
        """Return what has to run along with factors of inputs and outputs: what is tied to them."""
        inputs = self.trace.nodes[k].inputs
        more: dict[int, list[Factor]] = defaultdict(list)
        for slot, (axis, pairs, where) in known:
            limits = [(self._family(k, slot, a), p) for a, p in where]
            for y, a in self._family(k, slot, axis).items():
                if y >= 0:
                    ours = sorted((f[y], p) for f, p in limits if f.get(y, a) != a)
                    more[y].append((a, pairs, tuple(ours)))
        found = {inputs[y]: _with(given[y], own) for y, own in more.items()}
        return {i: a for i, a in found.items() if a}

    def _singles(
        self, k: int, known: Sequence[Known], given: tuple[Action, ...], *, data: bool = False
    ) -> Iterator[Known]:
        """Yield one factor more on an input: along an axis that is summed over, or in blocks.

        It may be limited to places at which the outputs change, along an axis of their size.
        ``data``: on an input that does not come from leaves.
        """
        tried: set[Known] = set()
        arrays = [self.trace.arrays[i] for i in self.trace.nodes[k].inputs]
        targets = [
            (y, a)
            for y, i in enumerate(self.trace.nodes[k].inputs)
            if data is (i not in self.reached) and _is_floating(arrays[y])
            for a in range(arrays[y].ndim)
        ]
        for (x, (axis, pairs, _)), (y, a) in itertools.product(known, targets):
            shape = arrays[y].shape
            labels = axis == actions.LABELS and max(map(max, pairs)) < shape[a]
            size = shape[a] if labels else self._shape(k, x)[axis]
            choices = _counterparts(pairs, size, shape[a], own=(x, axis) == (y, a))
            limits: list[Where] = [()]
            for other in (b for b in range(len(shape)) if choices and b != a):
                limits += [((other, p),) for n, p in self._spots(k, given) if n == shape[other]]
            for own, where in itertools.product(choices, limits):
                single = y, (a, own, where)
                if single not in tried and _with(given[y], [single[1]]) not in (None, given[y]):
                    tried.add(single)
                    yield single

    def _find_spots(self, k: int, given: tuple[Action, ...]) -> list[tuple[int, tuple[int, ...]]]:
        """Return the axis sizes and positions at which a node's outputs change; not whole axes."""
        return [
            (size, places)
            for mask in self._changes(k, self._moved(k, given))
            for size, places in zip(mask.shape, actions.positions(mask), strict=True)
            if 0 < len(places) < size
        ]


def _sources(trace: Trace) -> dict[int, frozenset[int]]:
    """Return the leaves that each value comes from; values of the same leaves share a set."""
    found = {i: frozenset([i]) for i in trace.names}
    shared: dict[frozenset[int], frozenset[int]] = {}
    for node in trace.nodes:
        own = frozenset().union(*(found.get(i, ()) for i in node.inputs))
        found |= dict.fromkeys(node.outputs, shared.setdefault(own, own))
    return defaultdict(frozenset, found)


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


def _with(action: Action, factors: Sequence[Factor]) -> Action | None:
    """Return the action with more factors, in place of those along their axes if need be."""
    axes = {(axis, where) for axis, _, where in factors}
    others = tuple(f for f in action if (f[0], f[2]) not in axes)
    return actions.joined(action, *factors) or actions.joined(others, *factors)


def _counterparts(pairs: Pairs, size: int, other: int, *, own: bool) -> list[Pairs]:
    """Return the pairs of another axis, or of its ``own``, that may belong to pairs of an axis."""
    (i, j), block, found = pairs[0], len(pairs), []
    if own:  # in the other half as well: gate and value
        half = size // 2
        both = {*pairs, *(((p + half) % size, (q + half) % size) for p, q in pairs)}
        return [tuple(sorted(both))] if size % 2 == 0 else []
    if size == other:
        return [pairs]
    if j - i == block and size % block == 0 and other % (size // block) == 0 and i % block == 0:
        n = other // (size // block)  # block to block
        found.append([(i // block * n + z, j // block * n + z) for z in range(n)])
    if other % size == 0:  # in each part: gate and value
        found.append([(p + n, q + n) for p, q in pairs for n in range(0, other, size)])
    if other > 1 and size % other == 0 and all(p // other == q // other for p, q in pairs):
        found.append([(p % other, q % other) for p, q in pairs])  # within blocks
    return [tuple(sorted({*own})) for own in found]
