"""Attributes of modules and classes that something else stands for while a block runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

Patch = tuple[Any, str, Any]  # owner, name, and what stands there meanwhile


@contextmanager
def patched(patches: Iterable[Patch]) -> Iterator[None]:
    """Put patches in place while the block runs, one after the other: some wrap others."""
    with ExitStack() as stack:
        for owner, name, value in patches:
            stack.enter_context(patch.object(owner, name, value, create=True))
        yield


def outermost(function: Callable[..., Any], seen: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``seen``, which calls a function, but for calls that are made while it runs.

    PyTorch calls a function by its name again where a mode gets it, as ``torch.autograd.grad``:
    ``seen`` in its place would see two calls of one.
    """
    going_on = False

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal going_on
        if going_on:
            return function(*args, **kwargs)
        going_on = True
        try:
            return seen(*args, **kwargs)
        finally:
            going_on = False

    return called
