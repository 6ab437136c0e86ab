"""The faces for tests: invariants of steps and trainings in pytest, and relations of a loss."""
