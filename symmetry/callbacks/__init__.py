"""Callbacks of trainers: they check the first updates of a real run in copies."""
