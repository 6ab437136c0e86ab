"""A loop of JAX that trains, as ``lax.scan``: its body is a step."""
