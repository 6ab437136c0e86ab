"""The operations of a forward, with the inputs and results of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.modes.recorder import IDLE, tensors_in
from symmetry.torch.watch.calls import copied, running_modules


@dataclass(frozen=True)
class ForwardOperation:
    """One operation."""

    name: str  # that of PyTorch's operation
    # Copies of the tensors that it is given and makes.
    inputs: Sequence[Tensor]
    numbers: Sequence[int]  # the whole numbers that it is given
    results: Sequence[Tensor]
    # The class of the module of PyTorch's own that it belongs to; empty if it belongs to none.
    module: str
    place: SourceLine  # the user's line


class ForwardOperations(TorchDispatchMode):
    """Records the inputs and results of each operation.

    Attributes
    ----------
    steps
        The operations, in order.
    paused
        Whether none are kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.steps: list[ForwardOperation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.paused or func.namespace in IDLE:
            return func(*args, **(kwargs or {}))
        inputs = copied(tensors_in((args, kwargs or {})))
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[1]
        numbers = [a for a in args if isinstance(a, int)]
        results = copied(tensors_in(result))
        self.steps.append(
            ForwardOperation(name, inputs, numbers, results, _innermost(), users_line())
        )
        return result


def _innermost() -> str:
    """Return the class of the innermost module that PyTorch defines and that is called now."""
    kind = type(next(running_modules(), None))
    return kind.__name__ if kind.__module__.startswith("torch.nn.") else ""
