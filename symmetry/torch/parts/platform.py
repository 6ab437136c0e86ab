"""Where and how the steps of a run are executed, and what several ranks hold copies of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import torch
from torch import distributed

from symmetry.base import ranks
from symmetry.torch.compiler import frames
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.state import bytes_of, is_distributed
from symmetry.training.capabilities.platform import Platform, Replicated


def digests_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each parameter that is a copy: plain ones, and replicated ``DTensor``."""
    found = {}
    for name, tensor in parameters.items():
        local = tensor.detach()
        if is_distributed(local):
            if not all(placement.is_replicate() for placement in local.placements):
                continue
            local = local.to_local()
        found[name] = blake2b(bytes_of(local), digest_size=16).hexdigest()
    return found


class TorchReplicas(Replicated):
    """The parameters of a run that several ranks hold copies of."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""
        return digests_of(self._parameters)

    @staticmethod
    def gathered(mine: Any) -> list[Any]:
        """Return the digests of all ranks, or whatever else each of them has."""
        if not distributed.is_initialized():  # the training does not talk to its other ranks
            distributed.init_process_group("gloo")
        everyone: list[Any] = [None] * ranks.world()
        distributed.all_gather_object(everyone, mine, group=_group_beside(distributed.group.WORLD))
        return everyone


@lru_cache(maxsize=1)
def _group_beside(_: Any) -> Any:
    """Return a group of all ranks that does not disturb what the training sends in its own."""
    return distributed.new_group(backend="gloo")


class TorchPlatform(Platform):
    """Where and how PyTorch executes a run's steps; ``frames_before`` were compiled earlier."""

    compiler = "torch.compile"

    def __init__(self, arrays: Arrays, frames_before: int) -> None:
        self._arrays, self._before = arrays, frames_before

    @property
    def reorders(self) -> str:
        """How to make sums repeatable, if a parameter is on a GPU."""
        on_gpu = any(parameter.is_cuda for parameter in self._arrays.parameters.values())
        cure = "torch.use_deterministic_algorithms(True) makes sums of GPUs repeatable"
        return cure if on_gpu else ""

    @property
    def compiles(self) -> bool:
        """Whether torch.compile has had something to do since the run began."""
        return frames() != self._before

    @property
    def asks_to_compile(self) -> bool:
        """Whether ``nn.Module.compile`` was called, which leaves out what is all PyTorch's own."""
        modules = self._arrays.objects.model.modules()
        return any(getattr(m, "_compiled_call_impl", None) is not None for m in modules)


@contextmanager
def full_precision() -> Iterator[None]:
    """Switch TF32 off where there is a GPU: its 10 bits would hide what is judged by ulps."""
    if not torch.cuda.is_initialized():
        yield
        return
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions
