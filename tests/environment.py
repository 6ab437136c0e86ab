"""What a measured report says about the machine it was measured on."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

INSTRUCTION_SETS = ("sse2", "sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def instruction_sets() -> str:
    """Return those that matter here, as LLVM finds them, and LLVM's name for the processor."""
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    features = get_host_cpu_features()
    there = [name for name in INSTRUCTION_SETS if features.get(name)]
    return f"{', '.join(there)} ({get_host_cpu_name()})"


def environment(**more: str) -> dict[str, str]:
    """Return what every report says, and then what one adds."""
    packages = ("numpy", "numba", "llvmlite")
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "instruction sets": instruction_sets(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
        **more,
    }


def environment_table(facts: dict[str, str]) -> list[str]:
    """Return the lines of a Markdown table of them."""
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
