"""The arguments with which scripts are resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_chosen: ContextVar[tuple[str, ...] | None] = ContextVar("resuming", default=None)


def chosen() -> tuple[str, ...] | None:
    """Return the arguments with which the scripts are resumed that are named now."""
    return _chosen.get()


@contextmanager
def choosing(arguments: tuple[str, ...] | None) -> Iterator[None]:
    """Choose these arguments for the scripts that are named while the block runs."""
    token = _chosen.set(arguments)
    try:
        yield
    finally:
        _chosen.reset(token)
