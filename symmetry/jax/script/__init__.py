"""A script that trains with JAX, run as it is: its step is a jitted function."""
