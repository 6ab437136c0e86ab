"""The machine, as far as the rounding of sums and the speed of steps may depend on it."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from symmetry.comparison.subject import THREAD_VARIABLES

_SETTINGS = ("MKL_CBWR", "OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "XLA_FLAGS", "NUMBA_CPU_NAME")
_FAMILIES = ("sse4", "avx", "fma", "amx", "neon", "sve", "sme", "fp-armv8", "vsx")


@dataclass(frozen=True)
class Machine:
    """What it is; ``variables`` are those of the environment that concern threads and kernels."""

    processor: str
    instructions: tuple[str, ...]
    cores: int
    system: str
    variables: dict[str, str]


def this_machine() -> Machine:
    """Look at the machine that this runs on."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    known = (*THREAD_VARIABLES, *_SETTINGS)
    return Machine(
        processor=f"{_processor()} ({binding.get_host_cpu_name()})",
        instructions=tuple(sorted(f for f in features if features[f] and f.startswith(_FAMILIES))),
        cores=cores(),
        system=f"{platform.system()} {platform.machine()}",
        variables={name: os.environ[name] for name in known if name in os.environ},
    )


def _processor() -> str:
    """Return the name of the processor; Linux does not tell it where others do."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
