"""Several trainers side by side, each in a process of its own, and a record of what happened."""
