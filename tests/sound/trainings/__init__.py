"""Sound PyTorch trainings, each a function without parameters; none of them may be accused."""
