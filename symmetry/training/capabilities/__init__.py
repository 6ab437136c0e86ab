"""Capabilities of a run in addition to taking steps."""
