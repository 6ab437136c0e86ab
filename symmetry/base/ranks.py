"""The processes of one training under ``torchrun``; no PyTorch is imported."""

import os


def world() -> int:
    """Return how many processes train together; 1 without ``torchrun``."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Return which of them this is, from 0."""
    return int(os.environ["RANK"]) if world() > 1 else 0
