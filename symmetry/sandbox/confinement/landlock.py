"""Landlock: a process and all that it starts may only write below some folders (Linux 5.19).

Writes, deletions and renames elsewhere fail with EACCES, whoever makes them: Python, a library in
C++, another program. No privileges are needed, and nothing undoes it. It restricts the thread that
calls, and the threads and processes that this one starts: so it comes before any other thread.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the system calls, of all processors
_VERSION, _BELOW = 1, 1  # a flag that returns the version; a rule for all below a folder
_NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
# To remove a folder or a file, to make a file of any kind, to move one to another folder.
_ENTRIES = sum(1 << bit for bit in range(4, 14))
# The first version that lets files be renamed into another folder at all, and that truncates.
_LEAST, _TRUNCATES = 2, 3


def version() -> int:
    """Return the version of Landlock; 0 if it is missing, or lets scripts rename no files."""
    if sys.platform != "linux":
        return 0
    found = _system().syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)
    return found if found >= _LEAST else 0


def restrict(places: Iterable[str]) -> None:
    """Let this thread, and what it starts, only write to these files and below these folders.

    Raises
    ------
    OSError
        If the kernel refuses it.
    """
    handled = _WRITE_FILE | _ENTRIES | (_TRUNCATE if version() >= _TRUNCATES else 0)
    attributes = struct.pack("Q", handled)
    rules = _call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for place in places:
            _allow(rules, place, handled)
        forbid_privileges()
        _call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def forbid_privileges() -> None:
    """Let no program that this process starts have more rights than this one: irrevocably."""
    _system().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _allow(rules: int, place: str, handled: int) -> None:
    number = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = handled if os.path.isdir(place) else handled & (_WRITE_FILE | _TRUNCATE)
        _call(_ADD, rules, _BELOW, struct.pack("=Qi", allowed, number), 0)
    finally:
        os.close(number)


def _call(number: int, *arguments: object) -> int:
    result: int = _system().syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result


def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
