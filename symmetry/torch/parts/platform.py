"""Where and how the steps of a run are executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from symmetry.torch.compiler import frames
from symmetry.torch.parts.arrays import Arrays
from symmetry.training.capabilities.platform import Platform


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
