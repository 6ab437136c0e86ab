"""Views that name the axes of a tensor in another order, and so mix its entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from torch import Tensor

from symmetry.observe.source_line import users_line
from symmetry.torch.watch.functions import results
from symmetry.training.capabilities.flowing import PermutingView

_VIEWS = {"view", "reshape"}


@contextmanager
def permuting_views() -> Iterator[list[PermutingView]]:
    """Collect each view or reshape whose shape has its input's distinct sizes in another order.

    One of them may be split meanwhile, as heads are, or two may be joined; or the channels of a
    convolution are taken for the last axis.
    """
    found: list[PermutingView] = []

    def see(func: Any, args: Sequence[Any], _kwargs: Any, result: Any) -> None:
        if getattr(func, "__name__", "") in _VIEWS and isinstance(result, Tensor):
            before, after = args[0].shape, result.shape
            split = _splits(before, after) or _splits(after, before)
            if split or _is_permuted(before, after) or _straddles(before, after):
                found.append(PermutingView(tuple(before), tuple(after), users_line()))

    with results(see):
        yield found


def _is_permuted(before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether a shape is another order of a shape whose sizes differ; ones do not count."""
    old, new = _long(before), _long(after)
    return old != new and sorted(old) == sorted(new) and len({*old}) == len(old)


def _splits(whole: Sequence[int], split: Sequence[int]) -> bool:
    """Return whether a size moves in between the factors of its neighbour: 10, 32 to 4, 10, 8.

    All of these sizes differ, so no other view of them is meant.
    """
    old, new = _long(whole), _long(split)
    if len(new) != len(old) + 1:
        return False
    for place, pair in enumerate(pairwise(old)):
        first, between, last = new[place : place + 3]
        differ = len({*pair, first, last}) == len((*pair, first, last))
        others = old[:place] + old[place + 2 :]
        if (
            sorted(pair) == sorted((between, first * last))
            and differ
            and others == new[:place] + new[place + 3 :]
        ):
            return True
    return False


def _straddles(before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether channels are cut as if they came last: 8, 12, 6, 6 to 8, 108, 4.

    A row then has neither the channels of one place nor whole parts of the lines of an image.
    """
    if len(before) != 4 or len(after) not in (2, 3):
        return False
    channels, width, row = before[1], before[3], after[-1]
    whole = row == channels if len(after) == 2 else after[0] == before[0] and channels % row == 0
    return whole and row > 1 and width % row > 0 and row % width > 0


def _long(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size > 1]
