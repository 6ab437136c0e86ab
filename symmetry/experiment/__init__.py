"""The experiment on MNIST, and the invariants along it."""
