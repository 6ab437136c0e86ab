"""The project's own core, compiled by Numba: the same bits on every machine."""

from symmetry.network.core import step

__all__ = ["step"]
