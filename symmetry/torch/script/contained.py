"""The sandbox of a script that trains with PyTorch: it can be suspended anywhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.process_state import Switch
from symmetry.sandbox.sandbox import Sandbox
from symmetry.sandbox.source import Source
from symmetry.torch.script.coroutine import Coroutine

_SWITCHES: tuple[Switch, ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
)


def contained(
    source: Source, mirrors: MirrorPool, watching: Callable[[], AbstractContextManager[None]]
) -> Sandbox[Coroutine]:
    """Return a sandbox that runs a script up to where it suspends itself: see ``Sandbox``."""
    return Sandbox(source, mirrors, watching, stack=Coroutine, switches=_SWITCHES)
