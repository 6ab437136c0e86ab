"""Trainings by the trainers, losses and collators of other libraries, each checked."""
