"""Operations that pair each entry of one tensor with all of another one: (n, 1) with (n,).

Targets may be such a table already, as rewards (n,) and values (n, 1) that are added without
gradients: it is a pair once it meets outputs of the shape (n, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.observe.source_line import users_line
from symmetry.torch.graph import makers
from symmetry.torch.state import as_array
from symmetry.training.losses import Pair
from symmetry.units.state import Array

ALL = -1  # pairs
_LOSSES = (
    functional.huber_loss,
    functional.l1_loss,
    functional.mse_loss,
    functional.smooth_l1_loss,
)
_NAMES = ("add", "mul", "multiply", "sub", "subtract")
_ARITHMETIC = (getattr(owner, name) for owner in (torch, Tensor) for name in _NAMES)


class PairSlopes:
    """The gradients that the trained side of one pair gets from its operation alone."""

    def __init__(self, number: int) -> None:
        self.number, self.found = number, list[Array]()

    def watched(self, trained: Tensor) -> Tensor:
        """Return the same tensor, whose gradients are kept."""
        own = trained.view_as(trained)  # other operations may be given the same tensor
        own.register_hook(lambda gradient: self.found.append(as_array(gradient)))
        return own


class Pairs:
    """Sees pairs of which one side depends on what is trained, or meets it, and the other does not.

    It is a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with each pair, before the operation.
    rolled
        The number of the pair whose data is moved by one entry; ``ALL`` moves the data of all
        pairs, and data that their tables meet; None moves nothing.
    slopes
        Collects the gradients of one pair, if any are wanted.
    """

    functions: frozenset[Hashable] = frozenset((*_LOSSES, *_ARITHMETIC))

    def __init__(
        self,
        see: Callable[[Pair], None],
        rolled: int | None = None,
        slopes: PairSlopes | None = None,
    ) -> None:
        self._see, self._rolled, self._slopes, self._number = see, rolled, slopes, 0
        self._targets: list[Pair] = []  # of data alone, which no outputs have met so far

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments, the data of one pair moved."""
        operands = [*args, *kwargs.values()][:2]
        sides = _sides(operands) or _sides_of_targets(operands)
        if sides is None:
            self._see_met(operands)
            sides = _table_and_row(args[:2]) if self._rolled == ALL else None
            return (args, kwargs) if sides is None else (_with_rolled(args, sides[1]), kwargs)
        trained, data = sides
        number = self._number
        self._number += 1
        pair = _pair(number, func.__name__, trained, data)
        if trained.requires_grad:
            self._see(pair)
        else:
            self._targets.append(pair)
        others: dict[int, Tensor] = {}
        if self._rolled in (number, ALL):
            others[id(data)] = data.roll(1, 0)
        if self._slopes is not None and number == self._slopes.number:
            others[id(trained)] = self._slopes.watched(trained)
        args = tuple(others.get(id(value), value) for value in args)
        return args, {name: others.get(id(value), value) for name, value in kwargs.items()}

    def _see_met(self, operands: Sequence[Any]) -> None:
        """See that a column of outputs meets a table of targets, one row for each output."""
        tensors = [each for each in operands if isinstance(each, Tensor) and each.ndim == 2]
        if len(tensors) < 2 or tensors[0].requires_grad == tensors[1].requires_grad:
            return
        outputs, table = tensors if tensors[0].requires_grad else tensors[::-1]
        for pair in self._targets:
            if (*outputs.shape, *table.shape) == (pair.count, 1, pair.count, pair.count):
                self._see(replace(pair, makers=makers(outputs)))


def _sides(operands: Sequence[Any]) -> tuple[Tensor, Tensor] | None:
    """Return the side that is trained, and the data; None if there is no such pair."""
    if len(operands) < 2 or not all(isinstance(operand, Tensor) for operand in operands):
        return None
    a, b = operands
    if {a.ndim, b.ndim} != {1, 2} or a.requires_grad == b.requires_grad:
        return None
    column, row = (a, b) if a.ndim == 2 else (b, a)
    if column.shape[1] != 1 or not column.shape[0] == row.shape[0] >= 2:
        return None
    return (a, b) if a.requires_grad else (b, a)


def _sides_of_targets(operands: Sequence[Any]) -> tuple[Tensor, Tensor] | None:
    """Return a column and a row that are not trained: values of a model, say, and rewards."""
    tensors = sorted((t for t in operands if isinstance(t, Tensor)), key=lambda t: -t.ndim)
    if [t.ndim for t in tensors] != [2, 1] or any(t.requires_grad for t in tensors):
        return None
    column, row = tensors
    if column.shape[1] != 1 or not column.shape[0] == row.shape[0] >= 2 or column._base is not None:
        return None  # the column may be made to meet all others
    return column, row


def _table_and_row(operands: Sequence[Any]) -> tuple[Tensor, Tensor] | None:
    """Return (n, n) entries that are trained, and data (n,); None if the operands are others."""
    tables = [t for t in operands if isinstance(t, Tensor) and t.ndim == 2 and t.requires_grad]
    rows = [t for t in operands if isinstance(t, Tensor) and t.ndim == 1 and not t.requires_grad]
    if len(tables) != 1 or len(rows) != 1 or tables[0].shape != (len(rows[0]), len(rows[0])):
        return None
    return tables[0], rows[0]


def _with_rolled(args: tuple[Any, ...], data: Tensor) -> tuple[Any, ...]:
    return tuple(data.roll(1, 0) if value is data else value for value in args)


def _pair(number: int, operation: str, trained: Tensor, data: Tensor) -> Pair:
    base = data._base if data._is_view() else None
    return Pair(
        number=number,
        operation=operation.strip("_"),
        count=len(data),
        column_trained=trained.ndim == 2,
        makers=makers(trained),
        spread=data.ndim == 2 and base is not None and base.ndim < 2,
        varies=bool((as_array(data.flatten()) != float(data.flatten()[0])).any()),
        place=users_line(),
    )
