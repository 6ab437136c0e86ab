"""JAX as a library: importing this module does not import it."""

from __future__ import annotations

from symmetry.base.libraries import Library

JAX = Library(
    imports=("jax",),
    packages=frozenset({"jax", "jaxlib"}),
    threads="JAX's own threads were started with it and cannot be limited",
)
