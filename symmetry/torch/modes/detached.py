"""Detached values that are scaled, so that a loss shows a value that it cancels.

    ratio = (log_p - log_p.detach()).exp()      is always 1, and so is the loss of a policy in its
                                                first update; only its gradient is another one.
                                                Times 0.5, the ratio becomes exp(log_p / 2).

A scale is the same for all units: a loss that treats them equally still does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from symmetry.base.patches import patched

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
