"""Lightning, under both of its names: the loop is its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from symmetry.base.libraries import Library

_NAMES = ("lightning.pytorch", "pytorch_lightning")
_BY_HAND = 4  # batches of an update that the script takes itself: how many is not known


def _trainers() -> tuple[Any, ...]:
    known = (getattr(sys.modules.get(name), "Trainer", None) for name in _NAMES)
    return tuple(filter(None, known))


def _loop(returned: Any) -> Callable[[], Any] | None:
    """Return the fit of a trainer, for a trainer, a module and their data in a tuple."""
    if isinstance(returned, tuple) and returned and isinstance(returned[0], _trainers()):
        return partial(returned[0].fit, *returned[1:])
    return None


def _update(frame: FrameType | None) -> int:
    """Return over how many batches the trainer that reads a length adds up gradients."""
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, _trainers()):
            module = caller.lightning_module
            by_hand = module is not None and not module.automatic_optimization
            return _BY_HAND if by_hand else int(caller.accumulate_grad_batches)
        frame = frame.f_back
    return 1


LIBRARY = Library(
    imports=("lightning", "pytorch_lightning"),
    trains_with="torch",
    decides=True,
    update=_update,
    loop=_loop,
)
