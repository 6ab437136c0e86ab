"""Which array operation of a training step makes equal hidden units different."""
