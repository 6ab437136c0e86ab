"""Results with a gradient that nothing uses: no function gets them, and no backward reaches them.

Example: a script drops the result of its function, and leaves one term out of the sum.

    Scaled.apply(weights, penalty)          its backward never runs
    commitment = 0.25 * mse(codes, q)       a number, made anew with each batch
    loss = mse(output, x)
    loss.backward()                         reaches neither of them

A result counts as unused once its tensor is gone. Until then something may still read it.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from symmetry.base.patches import Patch
from symmetry.base.user_code import is_user_code, kind_of
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.trials.functions import APPLY, applied
from symmetry.torch.watch.calls import in_forward
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.events import Unused


class _Key(NamedTuple):
    """A function that is called at a line of the user's."""

    at: SourceLine
    name: str
    is_own: bool  # an ``autograd.Function`` of the user's


@dataclass
class _Line:
    """All results of one function at a line."""

    is_used: bool = False  # whether anything has used one of them
    updates: list[int] = field(default_factory=list)  # before each of those that nothing used


class UnusedResults:
    """Follows the numbers that a script computes with a gradient, and what its functions return.

    Parameters
    ----------
    updates
        Returns how many updates there were.
    """

    def __init__(self, updates: Callable[[], int]) -> None:
        self._updates = updates
        self._lines: dict[_Key, _Line] = {}
        # Results that nothing has used so far, by id: the tensor, its line, and its node's number.
        self._waiting: dict[int, tuple[weakref.ref[Tensor], _Key, int]] = {}
        self._is_known = True  # whether all graphs were small enough to look through

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""

        def apply(cls: Any, *args: Any) -> Any:
            self._use(tensors_in(args))
            result = APPLY.__get__(None, cls)(*args)
            if _is_own(cls) and in_forward():
                given = {id(tensor) for tensor in tensors_in(args)}
                for tensor in tensors_in(result):
                    if id(tensor) not in given:  # else it was written in place
                        self._wait(tensor, f"{cls.__name__}.apply", is_own=True)
            return result

        yield from applied(apply)

    def reached(self, nodes: Iterable[int] | None) -> None:
        """See the numbers of the nodes behind a backward; None if there are too many."""
        if nodes is None:
            self._is_known = False
            return
        numbers = {*nodes}
        for waiting, (_, key, number) in [*self._waiting.items()]:
            if number in numbers:
                self._used(waiting, key)

    @property
    def records(self) -> tuple[Unused, ...]:
        """The lines whose results nothing has ever used."""
        return tuple(
            Unused(
                at=key.at,
                function=key.name if key.is_own else "",
                times=len(line.updates),
                updates=len({*line.updates}),
            )
            for key, line in self._lines.items()
            if self._is_known and line.updates and not line.is_used
        )

    def see_function(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """See the result of a function of PyTorch."""
        if self._waiting:
            self._use(tensors_in((args, kwargs)))
        if isinstance(result, Tensor) and not result.ndim and in_forward():
            self._wait(result, func.__name__)

    def _use(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            waiting = self._waiting.get(id(tensor))
            if waiting is not None:
                self._used(id(tensor), waiting[1])

    def _used(self, waiting: int, key: _Key) -> None:
        del self._waiting[waiting]
        self._lines[key].is_used = True

    def _wait(self, tensor: Tensor, name: str, *, is_own: bool = False) -> None:
        """Wait until a result is used, or gone."""
        if tensor.grad_fn is None or torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            return
        if kind_of((at := asked_at()).file) != "user":
            return
        key, place, update = _Key(at, name, is_own), id(tensor), self._updates()
        line = self._lines.setdefault(key, _Line())
        if line.is_used:
            return

        def gone(_: Any) -> None:
            if self._waiting.pop(place, None) is not None:
                line.updates.append(update)

        number = tensor.grad_fn._sequence_nr()
        self._waiting[place] = weakref.ref(tensor, gone), key, number


def _is_own(function: Any) -> bool:
    """Return whether an ``autograd.Function`` is the user's own."""
    code = getattr(inspect.unwrap(function.forward), "__code__", None)
    return code is not None and is_user_code(code.co_filename)
