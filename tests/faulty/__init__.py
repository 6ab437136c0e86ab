"""Broken trainers, each named after what is wrong with it.

One small function or class each, grouped in files by kind. Whatever does not belong to the fault is
as sound as in `tests.sound`, so that a trainer can only be caught for its fault.
"""

from __future__ import annotations

# The imports fill the list.
from tests.faulty import backward, data, formulas, kernels, optimisers, state  # noqa: F401
from tests.faulty.fault import ENTRIES, Fault

FAULTY: tuple[Fault, ...] = tuple(ENTRIES)
