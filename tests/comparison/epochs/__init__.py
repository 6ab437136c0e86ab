"""Comparing what scripts do over whole epochs."""
