"""A model that is tried on its own: custom functions, calls in evaluation, single samples."""
