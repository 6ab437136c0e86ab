"""CUDA, with the CPU in its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from symmetry.torch.cuda.cuda_on_cpu import CudaOnCpu


@pytest.fixture
def cuda() -> Iterator[CudaOnCpu]:
    """Replace CUDA by the CPU during a test."""
    found = CudaOnCpu()
    with found.entered():
        yield found
