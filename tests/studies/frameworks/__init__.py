"""A study: the same training in several frameworks, side by side."""
