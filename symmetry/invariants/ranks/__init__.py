"""Invariants of trainings on several ranks."""
