"""Finds the release of a library with which the verdict of a command changes."""
