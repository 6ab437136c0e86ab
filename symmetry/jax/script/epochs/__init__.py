"""The loop around the steps of a script in JAX: its jitted calls over shortened epochs."""
