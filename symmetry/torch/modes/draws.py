"""Random draws of a step for each of its samples: they move with the samples."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.base.user_code import user_place
from symmetry.torch.modes.noise import NOISE
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.watch.operations import name_of
from symmetry.units.units import Order

# They fill a tensor with numbers that depend on nothing else.
_FILLS = {"rand", "rand_like", "randn", "randn_like", "normal", "uniform", "exponential"}
_FILLS |= {"cauchy", "log_normal", "geometric", "randint", "randint_like", "random", "bernoulli"}
BY_OTHERS = "by NumPy or Python"
_CHOOSING = ("randperm", "randint")
_OF_WHOLE = {"randint", "randint_like", "random"}  # numbers that may be those of samples


class SampleDraws(TorchDispatchMode):
    """Puts what a step draws for each of ``count`` samples in the order of the samples.

    The batch, and what the model's forward replaces by its mean, are not looked at. Numbers that
    choose samples are not put in order: it is not known what they are used for.

    Parameters
    ----------
    count, order
        The number of samples, and their order.
    inside
        Whether the model is being run.
    choosing
        The lines whose whole numbers are known to choose the samples of a batch.
    """

    def __init__(
        self,
        count: int,
        order: Order | None,
        inside: ModuleScope,
        choosing: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self._choosing = choosing
        # By the user's line, whether all that was drawn there could be put in order.
        self.seen: dict[str, bool] = {}
        self._single = Counter[str]()  # how many numbers were drawn by themselves, by line
        self.paused = False  # whether nothing is looked at
        self._count, self._order, self._inside = count, order, inside

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = name_of(func).rstrip("_")
        draws = torch.Tag.nondeterministic_seeded in func.tags and "attention" not in name
        if not draws or self.paused or not isinstance(result, Tensor) or self._has_a_mean(name):
            return result
        if self._choosing and name in _CHOOSING and user_place() in self._choosing:
            return result
        if self._count in result.shape:
            follows = name in _FILLS and not self._depends(func, args, name)
            self._see(follows)
            if follows and self._order is not None:
                axis = result.shape.index(self._count)
                order = torch.as_tensor(self._order, device=result.device)
                result.copy_(result.index_select(axis, order))
        elif any(n > 1 and 0 in (n % self._count, self._count % n) for n in result.shape):
            self._see(False)  # of several batches at once, or of a piece of one
        elif result.numel() == 1:
            self._see_one(user_place())
        return result

    def _see_one(self, place: str) -> None:
        """Note a number drawn by itself: as many as there are samples may be one for each."""
        self._single[place] += 1
        if self._single[place] == self._count:
            self.seen[place] = False

    def _has_a_mean(self, name: str) -> bool:
        """Return whether the mean stands for what is drawn: not for whole numbers of a choice."""
        return name in NOISE and self._inside.draws()

    def see_other(self, before: Iterable[Any], after: Iterable[Any]) -> None:
        """Note draws of NumPy or Python, whose generators had these states around the step."""
        pairs = zip(before, after, strict=True)
        if not all(same(a, b) for a, b in pairs):
            self.seen[BY_OTHERS] = False

    def _see(self, follows: bool) -> None:
        place = user_place()
        self.seen[place] = self.seen.get(place, True) and follows

    def _depends(self, func: Any, args: Any, name: str) -> bool:
        """Return whether what is drawn depends on other tensors, or may be numbers of samples."""
        tensors = [value for value in args[1:] if isinstance(value, Tensor)]
        first = bool(args) and isinstance(args[0], Tensor)
        template = name.endswith("_like") or name_of(func).endswith("_")
        bounds = [value for value in args if not isinstance(value, Tensor)]
        return bool(
            tensors or (first and not template) or (name in _OF_WHOLE and self._count in bounds)
        )


def same(a: Any, b: Any) -> bool:
    """Return whether two states of generators are equal."""
    if isinstance(a, Tensor):
        return bool(torch.equal(a, b))
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return all(same(value, b[key]) for key, value in a.items())
    return bool(a == b)
