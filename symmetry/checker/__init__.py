"""Cases, verdicts, and the search for the smallest counterexample."""
