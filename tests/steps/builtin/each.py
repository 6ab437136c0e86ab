"""The built-in steps as parameters, each skipped where its framework is missing."""

from __future__ import annotations

import pytest

from tests.conftest import needs

EACH_BUILTIN = [
    "numba",
    "numpy",
    pytest.param("torch", marks=needs("torch")),
    pytest.param("torch-autograd", marks=needs("torch")),
    pytest.param("jax", marks=needs("jax")),
]
