"""The dtypes in which states are compared, also for those who must not import NumPy."""

DTYPES = ("float32", "float64")
