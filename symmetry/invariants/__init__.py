"""What is checked: the ten invariants, and the three ways of comparing numbers they rest on."""
