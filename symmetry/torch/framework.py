"""PyTorch as a framework of trainings. To import this module does not import PyTorch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from symmetry.training import frameworks

if TYPE_CHECKING:
    from symmetry.torch.run import TorchRun
    from symmetry.training.events import Epochs

OLDEST = 2, 6


def register() -> None:
    """Let runs of PyTorch trainings begin here."""
    frameworks.register("torch", frameworks.Framework(begin, recognises, epochs))


def recognises(returned: Any) -> bool:
    """Return whether a function that returns this is a PyTorch training."""
    torch = sys.modules.get("torch")
    model = returned[0] if isinstance(returned, tuple) and returned else None
    return torch is not None and isinstance(model, torch.nn.Module)


def begin(*args: Any, **kwargs: Any) -> TorchRun:
    """Begin a run: see ``symmetry.torch.begin``.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    SymmetryError
        If PyTorch is too old.
    """
    frameworks.refuse_older("torch", "PyTorch", OLDEST)
    from symmetry.torch.begin import begin

    return begin(*args, **kwargs)


def epochs(*args: Any, **kwargs: Any) -> Epochs | None:
    """Take steps with evaluations between them: see ``run_function``."""
    from symmetry.torch.script.epochs.function import run_function

    return run_function(*args, **kwargs)
