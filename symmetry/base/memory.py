"""How much memory there is: checked before a size is tried that could never fit."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.processes import cpu_seconds

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of glibc's ``mallopt``, in bytes
_LARGEST = (1 << 31) - 1  # value of one


def refuse_beyond_memory(needed: int) -> None:
    """Refuse more bytes than this process can get."""
    there = available()
    if there is not None and needed > there:
        give_back()  # which may be enough
        there = available()
    if there is not None and needed > there:
        raise SymmetryError(
            f"this would take {in_words(needed)} of memory, and there are {in_words(there)}"
        )


def bytes_to_train(
    sizes: tuple[int, int, int, int], dtype: str, *, inputs: int, layers: int, weights: int
) -> int:
    """Return about how many bytes a training of the two-layer network takes.

    ``inputs``, ``layers`` and ``weights`` count its arrays of the size of the inputs, of the hidden
    layer of all samples, and of both weight matrices. The sizes are samples, inputs, hidden units
    and classes.
    """
    n, i, h, c = sizes
    numbers = inputs * n * (i + 1) + layers * n * h + weights * ((i + 1) * h + (h + 1) * c)
    return numbers * (8 if dtype == "float64" else 4)


def available() -> int | None:
    """Return how many bytes this process can get, or None where the system does not report it.

    Where it is None, nothing is refused in advance and an allocation that fails ends the command.
    """
    return min(limits(), default=None)


def keep() -> None:
    """Keep memory that becomes free for the next arrays: in a process of our own only.

    By itself glibc gives arrays of more than 32 MiB back to the system at once. The next one then
    faults on each of its pages, which may take longer than filling it.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _LARGEST)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)


def give_back() -> None:
    """Give memory that is free back to the system, which glibc does not by itself.

    After many arrays of some megabytes, what it keeps in pieces can exceed what is in use.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def peak() -> int:
    """Return the most bytes that this process has held so far, 0 where that is unknown."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def used() -> dict[str, float]:
    """Return the CPU seconds of this process and its children, and the most GiB that it held."""
    return {"cpu_seconds": round(cpu_seconds(), 2), "memory": round(peak() / 2**30, 3)}


def in_words(size: int) -> str:
    """Return a size for people: ``12.3 TiB``. Integers only: a size may exceed any float."""
    unit = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    if unit == 0:
        return f"{size} bytes"
    tenths = size * 10 >> 10 * unit
    if tenths >= 10**7:
        return f"over a million {_UNITS[unit]}"
    return f"{tenths // 10}.{tenths % 10} {_UNITS[unit]}"


def limits() -> Iterator[int]:
    """Yield every limit that can be read: the machine's, the container's and the process's."""
    if hasattr(os, "sysconf"):
        with suppress(ValueError, OSError):  # where a system has no such names
            yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
    for place in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups 2 and 1
        for line in _lines(f"/sys/fs/cgroup/{place}"):
            if line.isdigit():
                yield int(line)
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield soft


def _lines(path: str) -> list[str]:
    """Return the lines of a file of the kernel's, none if it is not there."""
    try:
        return Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
