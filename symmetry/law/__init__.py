"""The law, step(g·s) = g·step(s), and the records of its results."""
