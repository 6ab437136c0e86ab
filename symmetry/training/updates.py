"""The first updates of a training on one trace: forward, backward, and all that lies between them.

Rewards, advantages, log-probabilities without gradients and rollouts are values of the trace like
all others. An invariant asks what depends on what: see ``symmetry.training.influence``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from symmetry.observe.source_line import SourceLine
from symmetry.training.trace import Trace
from symmetry.units.state import Array

# Operations that only show a value in another shape, layout or dtype: its numbers stay.
SHAPES = frozenset(
    {
        *("view", "_unsafe_view", "view_as", "reshape", "as_strided", "squeeze", "unsqueeze"),
        *("expand", "broadcast_to", "t", "transpose", "permute", "slice", "select", "narrow"),
        *("unfold", "detach", "alias", "clone", "_to_copy", "lift_fresh"),
    }
)


@dataclass(frozen=True)
class Doing:
    """The circumstances of one operation."""

    update: int  # how many updates came before it
    gradient: bool  # whether gradients were recorded
    backward: bool  # whether a backward performed it
    direct: bool = True  # whether a line of the user's own calls it, and no function of a library


@dataclass(frozen=True)
class Entry:
    """A tensor of a batch that a loader gave."""

    value: int
    update: int
    name: str  # where it is in the batch: "action_is_pad", or "1"


@dataclass(frozen=True)
class UserCall:
    """A call of a function of the user's own that was given tensors."""

    function: str
    at: SourceLine  # where it is defined
    update: int
    arguments: tuple[tuple[str, int], ...]  # names of parameters, and the numbers of their values
    results: frozenset[int]
    signature: tuple[str, ...]  # the names of all of its parameters
    is_method: bool = False


@dataclass(frozen=True)
class TracedUpdate:
    """One update: its operations, and what came of them."""

    nodes: range  # from the update before, up to the optimiser's step
    losses: frozenset[int]  # that a backward began at
    gradients: frozenset[int]  # of parameters, as the optimiser finds them
    parameters: frozenset[int]  # that optimisers hold, as they are before its step
    trained: frozenset[int] = frozenset()  # the parameters that have gradients


@dataclass(frozen=True)
class Updates:
    """A training's first updates, on one trace."""

    trace: Trace
    doings: tuple[Doing, ...]  # one for each node of the trace
    updates: tuple[TracedUpdate, ...]
    weights: frozenset[int]  # all values that parameters had, frozen ones too
    entries: tuple[Entry, ...] = ()  # of batches
    calls: tuple[UserCall, ...] = ()
    # Random numbers, which no operation of the trace makes, with the number of operations before.
    draws: Mapping[int, int] = field(default_factory=dict)
    # Values that Python has read, as item() does, or that draws depend on, with the same number.
    read: Mapping[int, int] = field(default_factory=dict)
    late: frozenset[int] = frozenset()  # that came up in a backward, and no operation makes them
    # That are computed without gradients, and have one all the same: by a function with a
    # derivative of its own.
    carrying: frozenset[int] = frozenset()
    why: str = ""  # why there are none, or the last ones are missing
    cutting: str = "detach() or no_grad()"  # the user's words for an end of gradients
    signatures: tuple[tuple[str, ...], ...] = field(default=())  # of the user's functions

    @cached_property
    def held(self) -> frozenset[int]:
        """The values of the parameters that optimisers hold."""
        return frozenset[int]().union(*(update.parameters for update in self.updates))

    @cached_property
    def from_weights(self) -> set[int]:
        """The values that are computed from any parameter."""
        return self.trace.downstream({*self.weights})

    @cached_property
    def differentiable(self) -> set[int]:
        """The values that are computed from parameters, and not from sampled tokens alone."""
        return self.trace.downstream({*self.weights}, "fc")

    def base(self, k: int) -> str:
        """Return the name of an operation without its namespace, in place or not: ``mul``."""
        return self.trace.nodes[k].operation.rpartition(".")[2].rstrip("_")

    def made_by(self, value: int) -> str:
        """Return the name of the operation that makes a value; empty if it comes from outside."""
        k = self.trace.maker.get(value)
        return "" if k is None else self.base(k)

    def forward(self, update: int) -> Iterator[int]:
        """Yield the operations of an update outside of backwards."""
        return (k for k in self.updates[update].nodes if not self.doings[k].backward)

    def into_loss(self, update: int) -> set[int]:
        """Return the values that the losses of an update are computed from, and these."""
        if update not in self._into_losses:
            self._into_losses[update] = self._above(self.updates[update].losses)
        return self._into_losses[update]

    @cached_property
    def _into_losses(self) -> dict[int, set[int]]:
        return {}

    def live(self, update: int) -> set[int]:
        """Return the values of an update's forward through which gradients go back."""
        if update not in self._live:
            live = {*self.updates[update].trained}
            for k in self.forward(update):
                node = self.trace.nodes[k]
                carries = self.doings[k].gradient and self.base(k) != "detach"
                if carries and not live.isdisjoint(node.inputs):
                    live.update(n for n in node.outputs if self.array(n).dtype.kind in "fc")
                live.update(self.carrying.intersection(node.outputs))
            self._live[update] = live
        return self._live[update]

    @cached_property
    def _live(self) -> dict[int, set[int]]:
        return {}

    def is_read(self, values: Iterable[int], before: int | None = None) -> bool:
        """Return whether Python has read one of some values: before an operation, if given."""
        times = (self.read[value] for value in values if value in self.read)
        return any(before is None or time <= before for time in times)

    def backward_of(self, update: int) -> int:
        """Return the first operation of an update's backward."""
        nodes = self.updates[update].nodes
        return next((k for k in nodes if self.doings[k].backward), nodes.stop)

    def into_gradients(self, update: int) -> set[int]:
        """Return the values that the gradients of an update are computed from, and these."""
        if update not in self._into_gradients:
            self._into_gradients[update] = self._above(self.updates[update].gradients)
        return self._into_gradients[update]

    def _above(self, ends: Iterable[int]) -> set[int]:
        """Return values, and all whose numbers they are computed from, not only their shapes."""
        sources = {*ends}
        for k in range(len(self.trace.nodes) - 1, -1, -1):
            node = self.trace.nodes[k]
            if not sources.isdisjoint(node.outputs) and not self._takes_shapes(k):
                sources.update(node.inputs)
        return sources

    def _takes_shapes(self, k: int) -> bool:
        """Return whether an operation only takes the shape of its operand, as ones_like does."""
        base = self.base(k)
        return base.startswith("new_") or (base.endswith("_like") and "rand" not in base)

    @cached_property
    def _into_gradients(self) -> dict[int, set[int]]:
        return {}

    def is_known(self, update: int) -> bool:
        """Return whether the trace has all that the gradients of an update are computed from."""
        return bool(self.updates[update].gradients) and self.late.isdisjoint(
            self.into_gradients(update)
        )

    def behind(self, value: int, operations: frozenset[str] = SHAPES) -> int:
        """Return the value that one shows: the first operand before operations such as views."""
        while (k := self.trace.maker.get(value)) is not None and self.base(k) in operations:
            if not self.trace.nodes[k].inputs:
                break
            value = self.trace.nodes[k].inputs[0]
        return value

    def array(self, value: int) -> Array:
        """Return what a value holds."""
        return self.trace.arrays[value]

    def at(self, k: int) -> SourceLine:
        """Return the user's line of an operation."""
        return self.trace.nodes[k].place

    def is_weight(self, value: int) -> bool:
        """Return whether a value is a parameter, or shows one."""
        return self.behind(value) in self.weights

    def roots(self, value: int) -> frozenset[int]:
        """Return the last values above one that operations with a parameter yield.

        These are what models return, so that values with a common root are one thing.
        """
        found, todo, seen = set[int](), [value], set[int]()
        while todo:
            value = todo.pop()
            k = self.trace.maker.get(value)
            if k is None or value in seen:
                continue
            seen.add(value)
            inputs = self.trace.nodes[k].inputs
            if any(self.is_weight(i) for i in inputs):
                found.add(value)
            else:
                todo += [i for i in inputs if i in self.from_weights]
        return frozenset(found)
