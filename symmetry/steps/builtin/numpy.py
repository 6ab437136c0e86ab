"""Plain NumPy: the formulas as they stand, with the matrix products of whatever BLAS it has."""

from symmetry.network.formulas import step

__all__ = ["step"]
