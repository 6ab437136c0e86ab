"""PyTorch as a framework of trainings. To import this module does not import PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from symmetry.base import libraries
from symmetry.base.libraries import Library
from symmetry.torch import libraries as beside
from symmetry.torch.library import TORCH
from symmetry.training import frameworks
from symmetry.training.frameworks import Setting

if TYPE_CHECKING:
    from symmetry.sandbox.source import Source
    from symmetry.torch.run import TorchRun
    from symmetry.training.events import Epochs
    from symmetry.training.target import Training

OLDEST = 2, 6
SETTINGS = (
    Setting(
        name="loops",
        words="with optimisers that go through parameters in another way",
        has="optimiser that can go through parameters in two ways",
        reason="each parameter is updated by itself",
        default=False,
    ),
    Setting(
        name="scale",
        words="with the loss scale times 2^-6",
        has="gradient scaler",
        reason="gradients are divided by the scale before anything is done with them",
        of_device=True,
    ),
    Setting(
        name="attention",
        words="with attention by products and a softmax",
        has="scaled_dot_product_attention",
        reason="it is another way to compute the same",
        default=False,
    ),
    Setting(
        name="kernels",
        words="with convolutions by other kernels",
        has="convolutions",
        reason="it is another way to compute the same",
        default=False,
    ),
    Setting(
        name="threads",
        words="with another number of threads",
        has="threads",
        reason="threads share work, and only rounding depends on how",
        default=False,
    ),
)


def register() -> None:
    """Let runs of PyTorch trainings begin here."""
    libraries.register(TORCH, *_beside())
    frameworks.register(
        "torch",
        frameworks.Framework(
            begin,
            recognises,
            epochs,
            title="PyTorch",
            settings=SETTINGS,
            copied=copied,
            script=script,
            needed=("torch", "greenlet"),
            imports=frozenset({"torch"}),
            decisive=frozenset({"backward"}),
            calls=frozenset({"backward", "fit", "train"}),
            named={"hf-tiny:": tiny},
        ),
    )


def _beside() -> Iterator[Library]:
    """Yield the libraries that have a file in ``symmetry.torch.libraries``."""
    for file in iter_modules(beside.__path__, f"{beside.__name__}."):
        yield import_module(file.name).LIBRARY


def script(name: str, source: Source, pins: Mapping[str, int]) -> Training:
    """Return a script as a training."""
    from symmetry.torch.script.script import Script, ScriptTraining

    return ScriptTraining(name, Script(source), pins)


def tiny(kind: str) -> Callable[[], Any]:
    """Return the function that trains a small model of a type of transformers."""
    from symmetry.torch.tiny_models import tiny_training

    return tiny_training(kind)


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


def copied(*model: Any) -> tuple[Any, AbstractContextManager[None]]:
    """Return the training of copies of a model, and a block that leaves the model alone."""
    from symmetry.torch.copied import CopiedTraining, untouched

    return CopiedTraining(*model), untouched(model[0])
