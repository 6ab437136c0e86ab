"""The operations of a forward, with the inputs and results of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.watch.calls import copied, running_modules
from symmetry.torch.watch.operations import Observer, Operation, Recorder, name_of


@dataclass(frozen=True)
class ForwardOperation:
    """One operation."""

    name: str  # the name of PyTorch's operation
    # Copies of the tensors that it is given and makes.
    inputs: Sequence[Tensor]
    numbers: Sequence[int]  # the whole numbers that it is given
    results: Sequence[Tensor]
    # The class of the module of PyTorch's own that it belongs to; empty if it belongs to none.
    module: str
    place: SourceLine  # the user's line


class ForwardOperations(Observer):
    """Keeps the inputs and results of each operation."""

    def __init__(self) -> None:
        self.paused = False  # whether none are kept
        self.operations: list[ForwardOperation] = []  # the operations, in order
        self._inputs: Sequence[Tensor] = ()  # of the operation that is going on

    def before(self, operation: Operation) -> None:
        """Copy the inputs: the operation may write into them."""
        self._inputs = () if self.paused else copied([*operation.operands])

    def after(self, operation: Operation) -> None:
        """Keep the operation."""
        if self.paused:
            return
        args, _ = operation.arguments
        numbers = [a for a in args if isinstance(a, int)]
        results = copied([*operation.results])
        self.operations.append(
            ForwardOperation(
                name_of(operation.func), self._inputs, numbers, results, _innermost(), users_line()
            )
        )


def operations_of(call: Callable[[], Any]) -> list[ForwardOperation]:
    """Return the operations of a call, in order."""
    kept = ForwardOperations()
    with Recorder(kept):
        call()
    return kept.operations


def _innermost() -> str:
    """Return the class of the innermost module that PyTorch defines and that is called now."""
    kind = type(next(running_modules(), None))
    return kind.__name__ if kind.__module__.startswith("torch.nn.") else ""
