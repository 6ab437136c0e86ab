"""A PyTorch training as a target: a function without parameters that makes a model and its step.

    def training():
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

        def step(i): ...

        return model, step

How the other floors use it (``Run`` is in ``symmetry.training.run``):

    run = TrainingTarget("train.py:training", training).start(dtype="float64", noise=False)
    start = run.state()                     # {"model.fc1.weight": array, ...}; see ``state``
    run.load({"model.fc1.weight": other})   # writes into the tensors that the objects hold
    run.step()                              # step 0; then 1, 2, ...
    run.loss                                # of what it called backward on, or returned, there

Runs know nothing of each other: each is made anew under the same seeds, and keeps random states of
its own, so that steps of several runs may take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.training.events import Epochs
from symmetry.training.run import Run
from symmetry.units.state import DTYPES
from symmetry.units.units import Order

OLDEST = 2, 6  # PyTorch


@dataclass(frozen=True)
class TrainingTarget:
    """A training by name."""

    name: str  # as the user typed it, or ``module:attribute`` of a callable
    make: Callable[[], Any]  # returns ``(model, step)`` or ``(model, step, extras)``
    # What its runs remember of the random numbers that their models start from.
    drawn: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    # How many units some groups must have, beside what the function says.
    pins: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    dtypes = DTYPES
    builtin = False

    @property
    def sequential(self) -> bool:
        """Whether a run can only go on from its first step, each step to its end: a script's."""
        return bool(getattr(self.make, "sequential", False))

    @property
    def expect_units(self) -> Mapping[str, int]:
        """How many units some groups must have, by the beginnings of their names.

        Raises
        ------
        TrainingError
            If the function's attribute is something else.
        """
        pins = getattr(self.make, "expect_units", {})
        if isinstance(pins, Mapping) and all(
            isinstance(name, str) and isinstance(count, int) for name, count in pins.items()
        ):
            return {**pins, **self.pins}
        raise TrainingError(
            f"{self.name}: its attribute expect_units must map names of units to their numbers, "
            f'such as {{"fc1": 33}}, but it is {pins!r}'
        )

    def start(
        self,
        *,
        dtype: str = "float32",
        seed: int = 0,
        noise: bool = True,
        order: Order | None = None,
    ) -> Run:
        """Make fresh objects, under the same seeds of all random numbers every time.

        In float32 the training is as it is written. In float64 everything that has fewer bits is
        promoted; random numbers are the same ones. Without ``noise`` the results of random
        operations inside a module's forward, such as dropout, are replaced by their means; see
        ``Run.random``. With an ``order`` the samples of each batch are rearranged.

        Raises
        ------
        TrainingError
            If the function raises, or returns anything but a training.
        SymmetryError
            If PyTorch is too old.
        """
        _refuse_older()
        from symmetry.torch.run import TorchRun

        getattr(self.make, "prepare", lambda: None)()
        drawn = None if self.sequential else self.drawn  # what else a script does draws, too
        # A script has made its first batch before its run begins.
        make: Callable[..., Any] = self.make
        if self.sequential:
            make = partial(make, order)
        return TorchRun.begin(
            self.name, make, dtype=dtype, seed=seed, noise=noise, drawn=drawn, order=order
        )

    def epochs(self, seed: int = 0) -> Epochs | None:
        """Run a script over whole epochs, once; None if it is no script.

        Raises
        ------
        TrainingError
            If the script raises before its first update.
        """
        run = getattr(self.make, "epochs", None)
        return None if run is None else run(seed)

    def close(self) -> None:
        """End all its runs, those of a script: nothing that they have written is left.

        Raises
        ------
        SymmetryError
            If a script has changed a file of the user's.
        """
        getattr(self.make, "close", lambda: None)()


def _refuse_older() -> None:
    """Raise SymmetryError if PyTorch is older: some of what is asked of it is not there."""
    try:
        found = version("torch")
    except PackageNotFoundError:  # importing it tells more
        return
    if tuple(map(int, found.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise SymmetryError(
            f"PyTorch {found} is too old: a training needs {oldest} or newer "
            "(pip install 'unit-symmetry[torch]')"
        )
