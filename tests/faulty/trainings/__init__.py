"""Broken PyTorch trainings, each named after what is wrong with it and otherwise sound."""
