"""Where two tensors differ: at the entries of one sample alone, or at others.

Example: the third of four samples was replaced. A tensor of shape (4, 5) differs at it alone along
axis 0 if nothing but row 2 moved; one of shape (8, 5) may hold two rows of each sample, as 4·2 or
2·4.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_TOLERANCE = 1e-9  # of the largest entry


def differ(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors of one shape differ beyond rounding."""
    return bool(_unequal(a, b).any())


def differs_within(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> bool:
    """Return whether a and b differ only at entries at which x and y of the same shape do."""
    return not bool((_unequal(a, b) & ~_unequal(x, y)).any())


def axes_of(a: Tensor, b: Tensor, count: int, sample: int) -> list[int]:
    """Return the axes along which two tensors of one shape differ at one of the samples alone.

    An axis of samples has a length of ``count`` or a multiple of it. A run of axes may be one: a
    batch that is cut into groups. The first of such axes is returned.
    """
    unequal = _unequal(a, b)
    return [
        first
        for first, last in _runs(tuple(a.shape), count)
        if _at_one(unequal.flatten(first, last), first, count, sample)
    ]


def pairs_alone(a: Tensor, b: Tensor, count: int, sample: int) -> bool:
    """Return whether two tensors of pairs of samples differ at pairs with one of them alone."""
    unequal = _unequal(a, b)
    axes = [axis for axis, length in enumerate(a.shape) if length == count]
    others = torch.tensor([k for k in range(count) if k != sample], device=a.device)
    rest = unequal
    for axis in axes[:2]:
        rest = rest.index_select(axis, others)
    return len(axes) > 1 and not bool(rest.any())


def _unequal(a: Tensor, b: Tensor) -> Tensor:
    """Return where two tensors differ by more than rounding; NaN equals NaN."""
    if a.dtype == torch.bool or not (a.is_floating_point() or a.is_complex()):
        return a != b
    a, b = a.detach(), b.detach()
    finite = torch.nan_to_num(a.abs(), posinf=0.0)
    allowed = _TOLERANCE * (float(finite.max()) if a.numel() else 0.0)
    same = (a == b) | (a.isnan() & b.isnan())
    return ~same & ~((a - b).abs() <= allowed)


def _runs(shape: tuple[int, ...], count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last axis of each run that may hold the samples."""
    for first in range(len(shape)):
        if shape[first] and shape[first] % count == 0:
            yield first, first
        product = shape[first]
        for last in range(first + 1, len(shape)):
            product *= shape[last]
            if product == count and shape[first] > 1 and shape[last] > 1:
                yield first, last


def _at_one(unequal: Tensor, axis: int, count: int, sample: int) -> bool:
    """Return whether only entries of one sample differ along an axis, in blocks or strides."""
    places = unequal.movedim(axis, 0).flatten(1).any(1) if unequal.ndim > 1 else unequal
    moved = places.nonzero().ravel()
    block = len(places) // count
    return bool((moved // block == sample).all()) or bool((moved % count == sample).all())


def rows_of(tensor: Tensor, count: int) -> Tensor | None:
    """Return a tensor with the samples along its first axis; None if no axis can be theirs.

    It is the first axis of their number, or else of a multiple of it, taken for blocks.
    """
    exact = [axis for axis, length in enumerate(tensor.shape) if length == count]
    blocks = [axis for axis, length in enumerate(tensor.shape) if length and length % count == 0]
    axis = next(iter((*exact, *blocks)), None)
    return None if axis is None else tensor.movedim(axis, 0).unflatten(0, (count, -1))
