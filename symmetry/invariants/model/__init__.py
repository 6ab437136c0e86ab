"""Invariants of a model alone: in evaluation, for each sample, in its custom functions."""
