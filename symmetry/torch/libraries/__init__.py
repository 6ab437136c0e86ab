"""Trainers of PyTorch, and libraries beside it: each file here registers one of them."""
