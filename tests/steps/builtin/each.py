"""The built-in steps as parameters, each skipped where its framework is missing."""

from __future__ import annotations

import pytest

from tests.conftest import needs

EACH_BUILTIN = [
    "numba",
    "numpy",
    "torch",
    "torch-autograd",
    pytest.param("jax", marks=needs("jax")),
]
