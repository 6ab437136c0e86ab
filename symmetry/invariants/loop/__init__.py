"""Invariants of sound training loops, judged on one run over whole epochs: one a file."""
