"""The project's own core, compiled by Numba: its bits never change."""

from symmetry.network.core import step

__all__ = ["step"]
