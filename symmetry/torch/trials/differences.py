"""Where two tensors differ beyond rounding, and their rows by samples."""

from __future__ import annotations

import torch
from torch import Tensor

from symmetry.units.samples import TOLERANCE, Moved


def differ(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors of one shape differ beyond rounding."""
    return bool(_unequal(a, b).any())


def differs_within(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> bool:
    """Return whether a and b differ only at entries at which x and y of the same shape do."""
    return not bool((_unequal(a, b) & ~_unequal(x, y)).any())


def moved(a: Tensor, b: Tensor) -> Moved:
    """Return where two tensors of one shape differ beyond rounding."""
    found: Moved = _unequal(a, b).cpu().numpy()
    return found


def _unequal(a: Tensor, b: Tensor) -> Tensor:
    """Return where two tensors differ by more than rounding; NaN equals NaN."""
    a, b = a.detach().to_dense(), b.detach().to_dense()  # sparse ones have no largest entry
    if a.dtype == torch.bool or not (a.is_floating_point() or a.is_complex()):
        return a != b
    finite = torch.nan_to_num(a.abs(), posinf=0.0)
    allowed = TOLERANCE * (float(finite.max()) if a.numel() else 0.0)
    same = (a == b) | (a.isnan() & b.isnan())
    return ~same & ~((a - b).abs() <= allowed)


def rows_of(tensor: Tensor, count: int) -> Tensor | None:
    """Return a tensor with the samples along its first axis; None if no axis can be theirs.

    It is the first axis of their number, or else of a multiple of it, taken for blocks.
    """
    exact = [axis for axis, length in enumerate(tensor.shape) if length == count]
    blocks = [axis for axis, length in enumerate(tensor.shape) if length and length % count == 0]
    axis = next(iter((*exact, *blocks)), None)
    return None if axis is None else tensor.movedim(axis, 0).unflatten(0, (count, -1))
