"""A two-layer step: what it is, its cases, its starts and their response."""
