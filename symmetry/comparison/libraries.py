"""What a process has loaded that decides how numbers are rounded: versions, BLAS, threads."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass

from threadpoolctl import threadpool_info

from symmetry.comparison.machine import cores
from symmetry.units.words import count

_PACKAGES = ("numba", "numpy", "torch", "jax", "jaxlib")
_NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "openmp": "OpenMP"}


@dataclass(frozen=True)
class Library:
    """A library with threads of its own; ``kernel`` is the processor its kernels are for."""

    name: str
    version: str | None
    kernel: str | None
    threads: int


@dataclass(frozen=True)
class Libraries:
    """What one process has loaded: versions by package, the libraries with threads, and notes."""

    versions: dict[str, str]
    pools: tuple[Library, ...]
    notes: tuple[str, ...]


def loaded_libraries() -> Libraries:
    """Look at what this process has loaded; nothing is imported for it."""
    loaded = {name: sys.modules[name] for name in _PACKAGES if name in sys.modules}
    versions = {name: module.__version__ for name, module in loaded.items()}
    pools = {
        Library(
            name=_NAMES.get(pool["internal_api"], pool["internal_api"]),
            version=pool["version"],
            kernel=pool.get("architecture"),
            threads=pool["num_threads"],
        )
        for pool in threadpool_info()
    }
    notes = []
    if "numba" in loaded:
        notes.append(f"Numba: {count(loaded['numba'].config.NUMBA_NUM_THREADS, 'thread')}")
    if torch := loaded.get("torch"):
        kernels = torch.backends.cpu.get_cpu_capability()
        threads = count(torch.get_num_threads(), "thread")
        notes.append(f"PyTorch: {threads}, own kernels for {kernels}")
        mkl = re.search(r"Math Kernel Library Version ([\d.]+)", torch.__config__.show())
        if mkl is not None:
            notes.append(f"MKL {mkl[1]} inside PyTorch, which does not say which kernels it chose")
    if "jax" in loaded:
        notes.append(f"XLA: {count(cores(), 'thread')}, as many as cores it may run on")
    return Libraries(
        {"python": platform.python_version(), **versions},
        tuple(sorted(pools, key=lambda pool: (pool.name, pool.version or ""))),
        tuple(notes),
    )
