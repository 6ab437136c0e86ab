"""The distributions that a step makes of logits, seen as calls of losses are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from torch import Tensor
from torch.distributions import Bernoulli, Categorical

from symmetry.observe.source_line import users_line
from symmetry.torch.probes.losses import FunctionCall

_NONE = -1  # number of a call that is no loss


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
        with ExitStack() as stack:
            for kind in (Categorical, Bernoulli):
                stack.enter_context(patch.object(kind, "__init__", self._seen(kind)))
            yield

    def _seen(self, kind: type) -> Callable[..., None]:
        init: Any = kind.__init__  # type: ignore[misc]

        @wraps(init)
        def seen(made: Any, probs: Any = None, logits: Any = None, **options: Any) -> None:
            if isinstance(logits, Tensor) and type(made) is kind:
                self._see(FunctionCall(_NONE, kind.__name__, {"logits": logits}, users_line()))
            init(made, probs, logits, **options)

        return seen
