"""Views that name the axes of a tensor in another order, and so mix its entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from symmetry.observe.place import Place, users_line

_VIEWS = {"view", "reshape"}


class Layout(TorchFunctionMode):
    """Sees each view or reshape whose shape is another order of its input's distinct sizes.

    Attributes
    ----------
    found
        The shape before and after, and the user's line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[tuple[int, ...], tuple[int, ...], Place]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in _VIEWS and isinstance(result, Tensor):
            before, after = args[0].shape, result.shape
            if is_permuted(before, after):
                self.found.append((tuple(before), tuple(after), users_line()))
        return result


def is_permuted(before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether a shape is another order of a shape whose sizes differ; ones do not count."""
    old, new = ([size for size in shape if size > 1] for shape in (before, after))
    return old != new and sorted(old) == sorted(new) and len({*old}) == len(old)
