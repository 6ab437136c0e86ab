"""A script, run as it is, as a training: suspended between its steps, and contained."""
