"""A PyTorch training: its objects, their state, runs of it, its starts and their response."""
