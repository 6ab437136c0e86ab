"""The answer of a check in plain words: its problems, its lines, and what an invariant means."""
