"""Attributes of modules and classes that something else stands for while a block runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
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
