"""What decides how sums are rounded and how fast steps are: the machine, and loaded libraries."""

import os
import platform
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from symmetry.units.words import count
from tests.studies.frameworks.entrant import THREAD_VARIABLES

_SETTINGS = ("MKL_CBWR", "OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "XLA_FLAGS", "NUMBA_CPU_NAME")
_FAMILIES = ("sse4", "avx", "fma", "amx", "neon", "sve", "sme", "fp-armv8", "vsx")
_PACKAGES = ("numba", "numpy", "torch", "jax", "jaxlib")
_NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "openmp": "OpenMP"}


def this_machine() -> dict[str, str]:
    """Return facts of this machine, and the variables that concern threads and kernels."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    known = (*THREAD_VARIABLES, *_SETTINGS)
    return {
        "processor": f"{_processor()} ({binding.get_host_cpu_name()})",
        "vector instructions": " ".join(
            sorted(f for f in features if features[f] and f.startswith(_FAMILIES))
        ),
        "cores": str(_cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "environment": " ".join(f"{n}={os.environ[n]}" for n in known if n in os.environ),
    }


def loaded_libraries() -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what this process has loaded: versions by package; kernels and threads, in lines."""
    from threadpoolctl import threadpool_info

    loaded = {name: sys.modules[name] for name in _PACKAGES if name in sys.modules}
    versions = {name: module.__version__ for name, module in loaded.items()}
    lines = sorted({_pool(pool) for pool in threadpool_info()})
    if "numba" in loaded:
        lines.append(f"Numba: {count(loaded['numba'].config.NUMBA_NUM_THREADS, 'thread')}")
    if torch := loaded.get("torch"):
        kernels = torch.backends.cpu.get_cpu_capability()
        threads = count(torch.get_num_threads(), "thread")
        lines.append(f"PyTorch: {threads}, own kernels for {kernels}")
        if mkl := re.search(r"Math Kernel Library Version ([\d.]+)", torch.__config__.show()):
            lines.append(f"MKL {mkl[1]} inside PyTorch, which does not say which kernels it chose")
    if "jax" in loaded:
        lines.append(f"XLA: {count(_cores(), 'thread')}, as many as cores it may run on")
    return {"python": platform.python_version(), **versions}, tuple(lines)


def _pool(pool: dict[str, Any]) -> str:
    """Describe a library with threads of its own, and the processor that its kernels are for."""
    name = _NAMES.get(pool["internal_api"], pool["internal_api"])
    kernels = f"({pool['architecture']} kernels)" if pool.get("architecture") else None
    words = " ".join(filter(None, [name, pool["version"], kernels]))
    return f"{words}: {count(pool['num_threads'], 'thread')}"


def _processor() -> str:
    """Return the name of the processor; Linux does not tell it where others do."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
