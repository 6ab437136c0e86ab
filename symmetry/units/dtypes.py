"""The dtypes in which states are compared."""

DTYPES = ("float32", "float64")
