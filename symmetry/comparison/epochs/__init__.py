"""Comparing what scripts do over whole, shortened epochs: events, losses, evaluations."""
