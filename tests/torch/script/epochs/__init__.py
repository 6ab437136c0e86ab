"""The run of a script over whole epochs."""
