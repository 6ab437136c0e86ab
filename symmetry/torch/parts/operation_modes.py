"""The modes that every operation of a run's steps passes through.

One scales detached values, so that a loss shows a value that it cancels.

    ratio = (log_p - log_p.detach()).exp()      is always 1, and so is the loss of a policy in its
                                                first update; only its gradient is another one.
                                                Times 0.5, the ratio becomes exp(log_p / 2).

A scale is the same for all units: a loss that treats them equally still does.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from symmetry.base.patches import patched
from symmetry.base.randomness.generators import RandomStates
from symmetry.base.randomness.unseeded import Unseeded
from symmetry.torch.batches import Batches
from symmetry.torch.modes.constants import ConstantReads
from symmetry.torch.modes.dtypes import MixedDtypes
from symmetry.torch.modes.promotion import Promotion
from symmetry.torch.modes.rounding import Rounding
from symmetry.torch.modes.scope import ModuleScope
from symmetry.training.capabilities.drawing import Drawing
from symmetry.training.run import RunSettings

_OURS = str(Path(__file__).parents[2])


@contextmanager
def scaled(factor: float) -> Iterator[None]:
    """Multiply what a step detaches from its graph while the block runs."""
    original = Tensor.detach

    def detach(tensor: Any) -> Any:
        asked_by = sys._getframe(1).f_code.co_filename
        in_graph = torch.is_grad_enabled() and tensor.grad_fn is not None
        found = original(tensor)
        if not in_graph or asked_by.startswith(_OURS) or not found.is_floating_point():
            return found
        return found * factor

    with patched([(Tensor, "detach", detach)]):
        yield


class OperationModes:
    """The modes that the operations of a run's steps pass through.

    Parameters
    ----------
    scope
        Whether the model is being run.
    batches
        The batches of the run, which may follow the draws for each sample.
    settings
        Those of the run.

    Attributes
    ----------
    random, random_numbers
        Random operations that were seen inside of the model, and the numbers they were given.
    alike
        Counts draws by kind and shape if other trainings draw the same numbers; else None.
    rounding
        Rounds each operation in another way, at random; or None.
    constants
        Looks at constants, or averages them; None if they are of no interest.
    """

    def __init__(self, scope: ModuleScope, batches: Batches, settings: RunSettings) -> None:
        self._scope, self._batches, self._settings = scope, batches, settings
        self.random: dict[tuple[str, str], None] = {}
        self.random_numbers: dict[str, None] = {}
        self.alike: Counter[Any] | None = None
        self.rounding: Rounding | None = None
        self.constants: ConstantReads | None = None

    @property
    def as_written(self) -> bool:
        """Whether operations are performed as the training's code says."""
        return not self._settings.promotes and self._settings.noise and self.alike is None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Enter all modes that are needed.

        There is nothing to enter for a training as it is written: ``torch.compile`` compiles only
        where there is no mode.
        """
        changes = not self.as_written
        looks = [mode for mode in (self.constants, *self._batches.modes) if mode is not None]
        with ExitStack() as stack:
            if self.rounding is not None:  # around the others: it gets their operations
                stack.enter_context(self.rounding)
            if changes or looks:
                stack.enter_context(self._scope.watching(promote=self._settings.promotes))
            if changes and self._settings.promotes:
                stack.enter_context(MixedDtypes())
            if changes:
                stack.enter_context(self._changing())
            for look in looks:
                stack.enter_context(look)
            if self._settings.detached != 1:
                stack.enter_context(scaled(self._settings.detached))
            yield

    def _changing(self) -> Promotion:
        return Promotion(self._scope, self._see, self._settings, self.alike)

    def _see(self, name: str, place: str, numbers: str) -> None:
        self.random[name, place] = None
        self.random_numbers[numbers] = None


class TorchDrawing(Drawing):
    """The random numbers that the operations of a run draw."""

    def __init__(self, operations: OperationModes, random_states: RandomStates) -> None:
        self._operations, self._random_states = operations, random_states

    def reseed(self, seed: int) -> None:
        """Continue with the random numbers of a seed, however many were drawn by now."""
        self._random_states.reseed(seed)

    def draw_alike(self) -> None:
        """Let the model's random operations draw the same numbers as in other trainings."""
        self._operations.alike = Counter()

    def numbers(self) -> str:
        """Return the states of the run's generators, as text."""
        return repr([getattr(s, "tolist", lambda s=s: s)() for s in self._random_states.states])

    @property
    def unseeded(self) -> tuple[Unseeded, ...]:
        """The lines by now that make random generators without a seed."""
        return self._random_states.unseeded

    @property
    def draws(self) -> Mapping[Any, int]:
        """With ``draw_alike``: the number of random draws by (operation, shape)."""
        return self._operations.alike or {}

    @property
    def random_numbers(self) -> Mapping[str, None]:
        """The numbers that random operations of the model are given, in words."""
        return self._operations.random_numbers
