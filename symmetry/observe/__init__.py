"""Recording the array operations of the code under test."""
