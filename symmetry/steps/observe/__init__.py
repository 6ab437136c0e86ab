"""Recorders of what a two-layer step does, for NumPy and JAX."""
