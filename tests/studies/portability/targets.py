"""What the core is compiled for, what runs it, and with how many threads."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.studies.portability import emulators

ROOT = Path(__file__).parents[3]
X86 = ("x86_64", "amd64")


@dataclass(frozen=True)
class Target:
    """A processor to compile for, and a Python that runs on it or on its emulation.

    Attributes
    ----------
    name
        For people.
    command
        The Python to call.
    environment
        What is set beside this process's own environment.
    threads
        The thread counts to try, in turn; the first finds the cache empty and compiles.
    emulated
        Whether it is some fifteen times as slow.
    fused
        Whether what it is compiled for has fused multiply-adds; without, it is slow as well.
    needs
        What is missing for it; empty if it can run.
    """

    name: str
    command: tuple[str, ...] = (sys.executable,)
    environment: Mapping[str, str] = field(default_factory=dict)
    threads: tuple[int, ...] = (2,)
    emulated: bool = False
    fused: bool = True
    needs: str = ""


def targets() -> tuple[Target, ...]:
    """Return all targets, those that cannot run here included."""
    return (
        Target("this machine", threads=(1, 2, 4)),
        Target(
            "compiled for a generic processor",
            environment=compile_for("generic"),
            fused=platform.machine().lower() not in X86,
        ),
        Target(
            "compiled for Haswell", environment=compile_for("haswell"), needs=needs_host("avx2")
        ),
        emulated_aarch64(),
        replace(emulated_x86("Nehalem"), fused=False),
        emulated_x86("Haswell"),
    )


def compile_for(processor: str) -> dict[str, str]:
    """Return what makes Numba compile for a processor.

    LLVM derives the features from the name. Numba would add this machine's own to them, unless it
    is told other ones: hence the empty list.
    """
    return {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}


def needs_host(feature: str) -> str:
    """Say what is missing if this machine has not got a feature."""
    from llvmlite.binding import get_host_cpu_features

    there = get_host_cpu_features().get(feature, False)
    return "" if there else f"needs a processor with {feature.upper()}"


def emulated_x86(processor: str) -> Target:
    """Run this very Python on another x86-64 processor."""
    qemu = emulators.qemu("qemu-x86_64")
    name = f"emulated {processor}"
    if platform.machine().lower() not in X86 or sys.platform != "linux":
        return Target(name, emulated=True, needs="needs Linux on x86-64")
    if not qemu:
        return Target(name, emulated=True, needs="needs qemu-user (see --setup)")
    return Target(name, (qemu, "-cpu", processor, sys.executable), emulated=True)


def emulated_aarch64() -> Target:
    """Run an aarch64 Python with its own wheels on a Neoverse N1."""
    qemu, root = emulators.qemu("qemu-aarch64"), emulators.aarch64()
    name = "emulated aarch64"
    if not qemu:
        return Target(name, emulated=True, needs="needs qemu-user (see --setup)")
    if not root:
        return Target(name, emulated=True, needs="needs an aarch64 Python (see --setup)")
    libraries = root / "usr" / "lib" / "aarch64-linux-gnu"
    command = (
        *(qemu, "-cpu", "neoverse-n1", "-L", str(root)),
        *("-E", f"LD_LIBRARY_PATH={libraries}"),  # for the Python alone, not for qemu
        str(emulators.python_of(root)),
    )
    environment = {
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": os.pathsep.join((str(root / "site"), str(ROOT))),
    }
    return Target(name, command, environment, emulated=True)
