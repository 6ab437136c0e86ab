"""Runs a script once over whole, shortened epochs, and records what it does."""
