"""The keys that attention is told to leave out, with the user's line of each call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.probes.losses import signature
from symmetry.units.state import Array


class KeyMasks:
    """Sees each ``key_padding_mask`` of ``nn.MultiheadAttention``; it is a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with which keys are left out, (batch, keys), and the user's line.
    """

    functions: frozenset[Hashable] = frozenset({functional.multi_head_attention_forward})

    def __init__(self, see: Callable[[Array, SourceLine], None]) -> None:
        self._see = see

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments as they are."""
        mask = signature(func).bind(*args, **kwargs).arguments.get("key_padding_mask")
        if isinstance(mask, Tensor) and mask.ndim == 2:
            # As numbers that are added to scores, minus infinity leaves a key out.
            hidden = mask if mask.dtype == torch.bool else torch.isneginf(mask)
            self._see(hidden.detach().cpu().numpy().copy(), users_line())
        return args, kwargs
