"""The calls of loss functions in a step, with the user's line of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.loss_functions import LOSSES
from symmetry.torch.watch.functions import FunctionCalls


@dataclass(frozen=True)
class FunctionCall:
    """One call of a loss function of ``torch.nn.functional``."""

    number: int  # the calls of a run are counted from 0
    function: str  # its name: ``cross_entropy``
    # All its arguments by name, those that were left out with their defaults.
    arguments: dict[str, Any]
    place: SourceLine  # the user's line


class Losses:
    """Sees each call of a loss function before it is done; it may be done with other arguments.

    It is a ``FunctionListener``. Modules such as ``nn.CrossEntropyLoss`` and the models of
    libraries call these functions.

    Parameters
    ----------
    see
        Called with each call. It may return other arguments by name, which replace these.
    """

    functions = LOSSES

    def __init__(self, see: Callable[[FunctionCall], dict[str, Any] | None]) -> None:
        self._see, self._number = see, 0

    @contextmanager
    def seen(self) -> Iterator[None]:
        """See the calls while the block runs."""
        with FunctionCalls(self):
            yield

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments, some of them replaced."""
        bound = signature(func).bind(*args, **kwargs)
        bound.apply_defaults()
        call = FunctionCall(self._number, func.__name__, dict(bound.arguments), users_line())
        self._number += 1
        others = self._see(call)
        return ((), {**call.arguments, **others}) if others else (args, kwargs)


@cache
def signature(func: Any) -> inspect.Signature:
    """Return the signature of a function."""
    return inspect.signature(func)
