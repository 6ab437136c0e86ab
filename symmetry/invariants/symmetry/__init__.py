"""Invariants of rearrangements: equal units, samples and runs make no difference."""
