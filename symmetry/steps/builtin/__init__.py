"""The same two-layer step in five libraries."""
