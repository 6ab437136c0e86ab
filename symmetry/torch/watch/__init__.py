"""The updates, module calls, functions and operations of a training, shown to those who watch."""
