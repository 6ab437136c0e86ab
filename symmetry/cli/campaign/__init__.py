"""Checks of several targets, side by side or on a cluster."""
