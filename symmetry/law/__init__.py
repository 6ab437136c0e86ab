"""The law, step(g·s) = g·step(s), and the records that everything is told in."""
