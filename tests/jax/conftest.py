"""JAX as its users find it, whatever other tests of the process have switched on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def narrow() -> Iterator[None]:
    """Let a test run in float32: the built-in step of JAX switches float64 on as it is imported."""
    jax = sys.modules.get("jax")
    wide = jax is not None and jax.config.jax_enable_x64
    if wide:
        jax.config.update("jax_enable_x64", False)
    yield
    if wide:
        jax.config.update("jax_enable_x64", True)
