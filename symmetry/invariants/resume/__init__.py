"""A training that is interrupted and resumed through its own files."""
