"""JAX as a library: importing this module does not import it."""

from __future__ import annotations

from symmetry.base.libraries import Library

JAX = Library(
    imports=("jax",),
    packages=frozenset({"jax", "jaxlib"}),
    observed="JAX's operations were evaluated one by one, not compiled",
    threads="JAX's own threads were started with it and cannot be limited",
)
