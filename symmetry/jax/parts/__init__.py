"""Capabilities of a run of a JAX training: one file each."""
