"""The guilty operation: its arrays, its cause, its difference in words, its evidence."""
