"""Edits of the user's code that mend a problem, where one is certain."""
