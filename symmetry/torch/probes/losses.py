"""The calls of loss functions in a step, and the distributions that it makes of logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from torch import Tensor
from torch.distributions import Bernoulli, Categorical

from symmetry.base.patches import patched
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.loss_functions import LOSSES
from symmetry.torch.watch.functions import FunctionCalls

_NONE = -1  # number of a call that is no loss


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


class Distributions:
    """Sees each ``Categorical(logits=...)`` and ``Bernoulli(logits=...)``.

    Parameters
    ----------
    see
        Called with each call.
    """

    def __init__(self, see: Callable[[FunctionCall], None]) -> None:
        self._see = see

    @contextmanager
    def seen(self) -> Iterator[None]:
        """See them while the block runs."""
        with patched((kind, "__init__", self._seen(kind)) for kind in (Categorical, Bernoulli)):
            yield

    def _seen(self, kind: type) -> Callable[..., None]:
        init: Any = kind.__init__  # type: ignore[misc]

        @wraps(init)
        def seen(made: Any, probs: Any = None, logits: Any = None, **options: Any) -> None:
            if isinstance(logits, Tensor) and type(made) is kind:
                self._see(FunctionCall(_NONE, kind.__name__, {"logits": logits}, users_line()))
            init(made, probs, logits, **options)

        return seen


@cache
def signature(func: Any) -> inspect.Signature:
    """Return the signature of a function."""
    return inspect.signature(func)
