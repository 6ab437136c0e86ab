"""What a process has loaded that decides how numbers are rounded: versions, BLAS, threads."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass

from threadpoolctl import threadpool_info

_PACKAGES = ("numba", "numpy", "torch", "jax", "jaxlib")
_NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "openmp": "OpenMP"}


@dataclass(frozen=True)
class Library:
    """A library with threads of its own.

    Attributes
    ----------
    name, version
        Such as ``OpenBLAS`` and ``0.3.30``; the version may be None.
    kernel
        For which processor its kernels were chosen; None if it does not say.
    threads
        How many it uses.
    """

    name: str
    version: str | None
    kernel: str | None
    threads: int


@dataclass(frozen=True)
class Libraries:
    """What one process has loaded.

    Attributes
    ----------
    versions
        Of Python and of the packages that were imported.
    pools
        The libraries that threadpoolctl knows.
    notes
        What else is known of them, in words.
    """

    versions: dict[str, str]
    pools: tuple[Library, ...]
    notes: tuple[str, ...]


def loaded_libraries() -> Libraries:
    """Look at what this process has loaded; nothing is imported for it."""
    versions = {"python": platform.python_version()}
    versions |= {name: sys.modules[name].__version__ for name in _PACKAGES if name in sys.modules}
    pools = {
        Library(
            name=_NAMES.get(pool["internal_api"], pool["internal_api"]),
            version=pool["version"],
            kernel=pool.get("architecture"),
            threads=pool["num_threads"],
        )
        for pool in threadpool_info()
    }
    return Libraries(
        versions, tuple(sorted(pools, key=lambda pool: (pool.name, pool.version or ""))), _notes()
    )


def _notes() -> tuple[str, ...]:
    return (*_numba_notes(), *_torch_notes(), *_jax_notes())


def _numba_notes() -> tuple[str, ...]:
    if "numba" not in sys.modules:
        return ()
    from numba import config

    return (f"Numba: {_threads(config.NUMBA_NUM_THREADS)}",)


def _torch_notes() -> tuple[str, ...]:
    torch = sys.modules.get("torch")
    if torch is None:
        return ()
    kernels = torch.backends.cpu.get_cpu_capability()
    note = f"PyTorch: {_threads(torch.get_num_threads())}, own kernels for {kernels}"
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", torch.__config__.show())
    if mkl is None:
        return (note,)
    return note, f"MKL {mkl[1]} inside PyTorch, which does not say which kernels it chose"


def _jax_notes() -> tuple[str, ...]:
    if "jax" not in sys.modules or not hasattr(os, "sched_getaffinity"):
        return ()
    cores = len(os.sched_getaffinity(0))
    return (f"XLA: {_threads(cores)}, as many as cores it may run on",)


def _threads(number: int) -> str:
    return f"{number} thread" + "s" * (number != 1)
