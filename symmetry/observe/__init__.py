"""Observing array operations while somebody else's code runs."""
