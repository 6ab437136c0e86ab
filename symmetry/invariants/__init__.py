"""What is checked: the invariants, the law that most of them are, and what rounding may do."""
