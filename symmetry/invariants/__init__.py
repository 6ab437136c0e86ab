"""The invariants of trainings: their catalogue, and their measurements."""
