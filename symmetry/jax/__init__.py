"""JAX behind the run and the trace of a training: what it makes, programs, runs."""
