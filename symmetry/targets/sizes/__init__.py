"""Trainings whose arguments are drawn: sizes, rates, words."""
