"""Trains the golden cases in a process of its own; prints a line of JSON for each, as it ends.

Called with the thread count and the cases' names. The first line tells which machine it is, the
last one what the compiled code is made of.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import warnings
from typing import Any

import llvmlite
import numba
import numpy as np
from llvmlite.binding import get_host_cpu_name

from symmetry.network import kernels
from tests.network import golden

VECTORS = (  # widest first, as they are called in assembly
    ("512-bit (AVX-512)", r"%zmm\d"),
    ("256-bit (AVX)", r"%ymm\d"),
    ("128-bit (SSE)", r"%xmm\d"),
    ("scalable (SVE)", r"\bz\d+\.[sd]"),
    ("128-bit (NEON)", r"\bv\d+\.[24][sd]"),
)
FUSED = re.compile(r"\bv?fn?m(?:ad|sub|sb|la|ls)\w*\s")


def about_machine() -> dict[str, Any]:
    """Return what runs this process, as it sees it."""
    return {
        "machine": platform.machine(),
        "processor": get_host_cpu_name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
    }


def about_code() -> dict[str, Any]:
    """Return the widest vectors and the number of fused multiply-adds in the compiled kernels.

    Both are null if the kernels came from a cache, where Numba keeps no assembly.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no assembly
        assembly = "\n".join(kernels.visit.inspect_asm().values())
    found = [name for name, register in VECTORS if re.search(register, assembly)]
    return {"vectors": found[0], "fused": len(FUSED.findall(assembly))} if found else {}


def main(threads: int, names: list[str]) -> None:
    """Train the cases of these names."""
    cases = {case.name: case for case in golden.ALL}

    def say(line: dict[str, Any]) -> None:
        print(json.dumps(line), flush=True)

    say(about_machine())
    for name in names:
        say({"case": name, "result": cases[name].run(threads)})
    say(about_code())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
