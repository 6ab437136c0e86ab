"""Invariants of a training as a whole: its updates, settings, checkpoints, ranks and devices."""
