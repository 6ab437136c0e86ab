"""The loaders of a script, their workers, and seeds."""
