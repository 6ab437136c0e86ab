"""Random numbers without an axis of the samples: all samples of a batch share them.

Example: the noise of a variational autoencoder, for the width of the code only.

    code = mu + torch.randn(width) * std      mu and std are (samples, width)

A factor or a threshold for the whole batch is no mistake, nor is noise on weights. So a single
number does not count, and the numbers have to meet results of the model, one for each sample.
Numbers that are drawn once are no noise, so each draw counts once, and those that are trained
never count: a bias may start with random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.training.events import SharedNoise

_DRAWS = {"randn", "rand", "normal", "randn_like", "rand_like", "normal_", "uniform_"}
_MEETS = {"add", "add_", "mul", "mul_", "sub", "__add__", "__radd__", "__mul__", "__rmul__"}
_MEETS |= {"__sub__", "__rsub__"}


class SharedDraws:
    """Follows random numbers up to where they meet the results of a model."""

    def __init__(self) -> None:
        self._drawn = WeakIdKeyDictionary()
        self._found: dict[SourceLine, tuple[tuple[int, ...], tuple[int, ...], int]] = {}

    def see_function(
        self, func: Any, args: Sequence[Any], _kwargs: dict[str, Any], result: Any
    ) -> None:
        """See the result of a function of PyTorch."""
        name = getattr(func, "__name__", "")
        if name in _DRAWS and isinstance(result, Tensor) and result.numel() > 1:
            self._drawn[result] = True
        elif name in _MEETS and torch.is_grad_enabled() and len(args) > 1:
            self._meet(args[0], args[1])
            self._meet(args[1], args[0])

    def _meet(self, noise: Any, other: Any) -> None:
        if not (isinstance(noise, Tensor) and isinstance(other, Tensor)):
            return
        if noise not in self._drawn or noise.requires_grad or other.grad_fn is None:
            return
        if other.ndim > max(noise.ndim, 1) and len(other) > 1:
            del self._drawn[noise]
            line = users_line()
            *_, times = self._found.get(line, (0, 0, 0))
            self._found[line] = tuple(noise.shape), tuple(other.shape), times + 1

    @property
    def records(self) -> tuple[SharedNoise, ...]:
        """The lines at which such numbers meet results of a model."""
        return tuple(
            SharedNoise(at=at, shape=shape, meets=meets, times=times)
            for at, (shape, meets, times) in self._found.items()
        )
