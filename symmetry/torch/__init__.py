"""A training in PyTorch: its objects, their state, runs of it, and the trace of its steps."""
