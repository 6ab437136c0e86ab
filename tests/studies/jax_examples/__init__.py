"""The public examples of JAX libraries, with small sizes and made-up data, each checked."""
