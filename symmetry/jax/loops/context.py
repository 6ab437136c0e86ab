"""The context that functions of NNX need: it maps their objects."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def context_of(function: Any) -> AbstractContextManager[Any]:
    """Return the context in which NNX calls a function that it compiles or loops."""
    if "flax.nnx" not in sys.modules or not hasattr(function, "ctxtag"):
        return nullcontext()
    from flax import nnx

    context: AbstractContextManager[Any] = nnx.graph.update_context(function.ctxtag)
    return context
