"""The zoo before the whole catalogue: which invariant catches which fault, and when."""
