"""Comparing trainings, and recorded runs."""
