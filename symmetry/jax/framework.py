"""JAX as a framework of trainings. To import this module does not import JAX."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from symmetry.training import frameworks

if TYPE_CHECKING:
    from symmetry.jax.run import JaxRun

OLDEST = 0, 10


def register() -> None:
    """Let runs of JAX trainings begin here."""
    frameworks.register("jax", frameworks.Framework(begin, recognises))


def recognises(returned: Any) -> bool:
    """Return whether a function that returns this is a JAX training: its state holds arrays."""
    jax = sys.modules.get("jax")
    if jax is None or not isinstance(returned, tuple) or len(returned) not in (2, 3):
        return False
    from symmetry.jax.made import is_array

    return callable(returned[1]) and any(map(is_array, jax.tree.leaves(returned[0])))


def begin(*args: Any, **kwargs: Any) -> JaxRun:
    """Begin a run: see ``symmetry.jax.begin``.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    SymmetryError
        If JAX is too old.
    """
    frameworks.refuse_older("jax", "JAX", OLDEST)
    from symmetry.jax.begin import begin

    return begin(*args, **kwargs)
