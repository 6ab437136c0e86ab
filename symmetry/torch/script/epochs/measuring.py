"""Numbers that a script computes: what its models return, its losses, and its parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.base.patches import Patch
from symmetry.torch.loss_functions import LOSSES
from symmetry.torch.objects import held_by
from symmetry.torch.script.epochs.log import Log, tensors_of
from symmetry.torch.state import is_readable
from symmetry.training.events import Measured

_MOST = 4  # tensors of an output that are measured


class Measuring:
    """Measures what models and losses return, and parameters after each update."""

    def __init__(self, log: Log) -> None:
        self._log, self._inside = log, False

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        for loss in LOSSES:
            name = loss.__name__  # type: ignore[attr-defined]
            yield functional, name, self._seen(getattr(functional, name))

    def _seen(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(loss)
        def seen(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or self._inside:
                return loss(*args, **kwargs)
            self._inside = True  # one loss may call another
            try:
                found = loss(*args, **kwargs)
                with torch._C.DisableTorchFunction():  # the script does not read it
                    total = _total(loss, found, args, kwargs)
            finally:
                self._inside = False
            reduction = kwargs.get("reduction", "mean")
            self.see("loss", f"{loss.__name__} ({reduction})", found, total)
            return found

        return seen

    def see(self, phase: str, name: str, value: Any, total: float | None = None) -> None:
        """Measure the tensors of a value; ``total`` is the sum of a loss over its entries."""
        with torch._C.DisableTorchFunction():  # the script does not read them
            numbers = [n for t in tensors_of(value)[:_MOST] if _is_real(t) for n in _measured([t])]
        if numbers:
            values = tuple(numbers)
            self._log.add(Measured, phase=phase, name=name, values=values, total=total)

    def see_parameters(self, optimizer: Any) -> None:
        """Measure the parameters of an optimiser that has stepped."""
        held = [p for p in held_by(optimizer) if _is_real(p)]
        name = type(optimizer).__name__
        self._log.add(Measured, phase="update", name=name, values=_measured(held))


def _total(
    loss: Callable[..., Any], found: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> float | None:
    """Return the sum of a loss over its entries; None if it can be differentiated or reduced only.

    Two scripts may evaluate the same loss in pieces of other sizes, or reduce it in another way.
    """
    if not isinstance(found, Tensor) or found.requires_grad or not _is_real(found):
        return None
    try:
        entries = loss(*args, **{**kwargs, "reduction": "none"})
    except (TypeError, ValueError, RuntimeError):  # its reduction is given by place, say
        return None
    return float(entries.sum(dtype=torch.float64)) if _is_real(entries) else None


def _is_real(tensor: Tensor) -> bool:
    """Return whether a tensor has floating-point numbers that can be read."""
    return is_readable(tensor) and tensor.is_floating_point()


@torch.no_grad()
def _measured(tensors: Sequence[Tensor]) -> tuple[float, ...]:
    """Return the sum and the norm of all entries; of a single entry its value."""
    if len(tensors) == 1 and tensors[0].numel() == 1:
        return (float(tensors[0]),)
    total = sum(float(t.sum(dtype=torch.float64)) for t in tensors)
    squares = sum(float(torch.linalg.vector_norm(t, dtype=torch.float64)) ** 2 for t in tensors)
    return total, squares**0.5
