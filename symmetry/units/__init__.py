"""Units as a value: where equal units lie in the arrays of a state, and how they compare."""
