"""The trace of a training's first steps: every operation up to its losses, repeatable.

Values are numbered in the order in which they come about. Everything here is NumPy; whatever
framework a run is written in, it makes a trace of its operations.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.units.state import Array

# Performs an operation where some of its inputs, by position, hold other arrays. It raises
# whatever its framework raises where the operation does not take them.
Perform = Callable[[Mapping[int, Array]], list[Array]]


@dataclass(frozen=True)
class Node:
    """One operation of a trace."""

    # The numbers of the values that it takes and yields.
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    integers: frozenset[int]  # those among its arguments: sizes, numbers of groups
    perform: Perform  # performs it on other arrays
    operation: str = ""  # what its framework calls it, as in ``aten.mul``
    place: SourceLine = NOWHERE  # the user's line that called it; empty where no line did
    # Whether numbers that it uses as indices are checked: if not, wrong ones may end the process.
    checked: bool = True
    # Whether it takes arrays of other sizes; it does not if it is compiled for those that it had.
    resizable: bool = False


@dataclass
class Trace:
    """Values, and the operations that make them.

    A framework fills it: ``add`` takes one operation after the other.
    """

    # The values. They stay what they are whatever becomes of the training's own arrays.
    arrays: list[Array] = field(default_factory=list)
    # The numbers of the named arrays that units may lie in.
    leaves: dict[str, int] = field(default_factory=dict)
    # The numbers of what the leaves' names stand for in the end.
    finals: dict[str, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    loss: int = -1  # the number of the value that stays as it is where units are exchanged
    # For each value, the number of the node that yields it, and of those that take it.
    maker: dict[int, int] = field(default_factory=dict)
    users: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    # These are computed once: the first look at them comes after the last ``add``.

    @cached_property
    def names(self) -> dict[int, str]:
        """The leaves' names, by their numbers."""
        return {number: name for name, number in self.leaves.items()}

    @cached_property
    def from_leaves(self) -> set[int]:
        """The leaves, and the values that are computed from them."""
        return self.downstream({*self.leaves.values()})

    @cached_property
    def into_loss(self) -> set[int]:
        """The loss, and the values that it is computed from."""
        return self.upstream({self.loss})

    @cached_property
    def into_results(self) -> set[int]:
        """The loss, the final values of the leaves, and the values these are computed from."""
        return self.upstream({self.loss, *map(self.finals.__getitem__, self.leaves)})

    def add(self, node: Node) -> None:
        """Add an operation: its inputs and outputs are among the values."""
        for value in node.outputs:
            self.maker[value] = len(self.nodes)
        for value in dict.fromkeys(node.inputs):
            self.users[value].append(len(self.nodes))
        self.nodes.append(node)

    def perform(self, k: int, arrays: Mapping[int, Array]) -> list[Array] | None:
        """Return a node's outputs where some inputs, by position, hold other arrays.

        None where the operation does not take them, or has another number of outputs with them.
        """
        try:
            outputs = self.nodes[k].perform(arrays)
        except Exception:  # whatever it raises, it cannot be performed so
            return None
        return outputs if len(outputs) == len(self.nodes[k].outputs) else None

    def upstream(self, values: set[int]) -> set[int]:
        """Return these values, and all that they are computed from."""
        sources = set(values)
        for node in reversed(self.nodes):
            if not sources.isdisjoint(node.outputs):
                sources.update(node.inputs)
        return sources

    def downstream(self, values: set[int], kinds: str = "") -> set[int]:
        """Return these values, and all that is computed from them: of some kinds alone, if given.

        ``"fc"`` are real and complex numbers, as in ``dtype.kind``.
        """
        results = set(values)
        for node in self.nodes:
            if not results.isdisjoint(node.inputs):
                outputs = node.outputs
                results.update(
                    n for n in outputs if not kinds or self.arrays[n].dtype.kind in kinds
                )
        return results


def weights(count: int) -> Sequence[float]:
    """Return unequal weights of several losses, so that they do not make up for each other."""
    return [1 / (1 + 0.37 * number) for number in range(count)]
