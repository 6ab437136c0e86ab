"""The frameworks that trainings may be written in: each registers how it begins a run.

A framework stands above this floor, so it registers itself. Its own library is imported when a run
begins, and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from symmetry.base.errors import SymmetryError

if TYPE_CHECKING:
    from symmetry.training.run import Run

# Takes the name of a training, the function that makes it, and what ``Training.begin`` takes; and
# ``cache``, a dictionary in which runs of this training may keep what they have in common.
Begin = Callable[..., "Run"]

_BEGINS: dict[str, Begin] = {}


def register(name: str, begin: Begin) -> None:
    """Let runs of the framework of this name begin so."""
    _BEGINS[name] = begin


def begin_of(name: str) -> Begin:
    """Return how runs of a framework begin.

    Raises
    ------
    SymmetryError
        If no framework of this name is registered.
    """
    if name not in _BEGINS:
        known = ", ".join(_BEGINS) or "none"
        raise SymmetryError(f"there is no framework {name!r}: registered are {known}")
    return _BEGINS[name]
