"""Lightning, under both of its names: the loop is its own."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from symmetry.base.libraries import Library

_NAMES = ("lightning.pytorch", "pytorch_lightning")


def _loop(returned: Any) -> Callable[[], Any] | None:
    """Return the fit of a trainer, for a trainer, a module and their data in a tuple."""
    known = (getattr(sys.modules.get(name), "Trainer", None) for name in _NAMES)
    trainers = tuple(filter(None, known))
    if isinstance(returned, tuple) and returned and isinstance(returned[0], trainers):
        return partial(returned[0].fit, *returned[1:])
    return None


LIBRARY = Library(
    imports=("lightning", "pytorch_lightning"),
    trains_with="torch",
    decides=True,
    cuts_loops=True,
    loop=_loop,
)
