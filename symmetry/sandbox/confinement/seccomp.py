"""Another process decides on each attempt to change a file, before it is made (Linux 5.5).

After ``watch`` system calls that may change a file wait until whoever holds the file descriptor
that it returns lets them go on or fail. Threads and processes inherit that.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from symmetry.sandbox.confinement.landlock import forbid_privileges

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MOST = 4096  # bytes of a path
_SYSTEM_CALL = {"x86_64": 317, "aarch64": 277}  # the number of seccomp itself
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Flags of SECCOMP_SET_MODE_FILTER: without the mitigation that slows all code down, with a
# listener, and (Linux 5.19) with calls that no signal interrupts while they wait.
_SET_FILTER, _FAST, _LISTENER, _NO_SIGNALS = 1, 1 << 2, 1 << 3, 1 << 5
_RECEIVE, _SEND, _GO_ON = 0xC0502100, 0xC0182101, 1
_ASK, _ALLOW = 0x7FC00000, 0x7FFF0000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # instructions of a filter
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # where a filter finds them
_INSTRUCTION = "HBBI"


class _Call(NamedTuple):
    """A system call that may change a file."""

    deed: str
    x86_64: int | None  # its numbers; None where there is no such call
    aarch64: int | None
    # Which arguments are a path, and the number of the folder that it begins at.
    paths: tuple[tuple[int | None, int], ...]
    flags: int | None = None  # which argument has the flags that say whether it writes


_PATH, _BELOW = ((None, 0),), ((0, 1),)
_CALLS = (
    _Call("open", 2, None, _PATH, 1),
    _Call("open", 257, 56, _BELOW, 2),
    _Call("open", 85, None, _PATH),  # creat
    _Call("mkdir", 83, None, _PATH),
    _Call("mkdir", 258, 34, _BELOW),
    _Call("remove", 87, None, _PATH),  # unlink, rmdir, unlinkat
    _Call("remove", 84, None, _PATH),
    _Call("remove", 263, 35, _BELOW),
    _Call("truncate", 76, 45, _PATH),
    _Call("rename", 82, None, ((None, 0), (None, 1))),
    _Call("rename", 264, 38, ((0, 1), (2, 3))),
    _Call("rename", 316, 276, ((0, 1), (2, 3))),
    _Call("link", 86, None, ((None, 0), (None, 1))),
    _Call("link", 265, 37, ((0, 1), (2, 3))),
    _Call("link", 88, None, ((None, 1),)),  # symlink
    _Call("link", 266, 36, ((1, 2),)),
)


@dataclass(frozen=True)
class Attempt:
    """An attempt to change files, which waits for an answer."""

    number: int
    thread: int  # whose it is
    deed: str  # open, mkdir, remove, truncate, rename or link
    paths: tuple[str, ...]  # absolute, of all files that it changes; empty if that is not known


def is_possible() -> bool:
    """Return whether this machine's system calls are known."""
    return sys.platform == "linux" and platform.machine() in _MACHINES


def watch() -> int:
    """Stop this thread, and what it starts, at each attempt to change a file.

    Returns the file descriptor that ``receive`` and ``answer`` take.

    Raises
    ------
    OSError
        If the kernel cannot, or another process decides already.
    """
    program = b"".join(_program(platform.machine()))
    code = ctypes.create_string_buffer(program, len(program))
    count = len(program) // struct.calcsize(_INSTRUCTION)
    forbid_privileges()
    kernel, own = ctypes.CDLL(None, use_errno=True), _SYSTEM_CALL[platform.machine()]
    for flags in (_FAST | _LISTENER | _NO_SIGNALS, _FAST | _LISTENER):
        described = struct.pack("HxxxxxxQ", count, ctypes.addressof(code))
        number: int = kernel.syscall(own, _SET_FILTER, flags, described)
        if number >= 0:
            return number
    raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def receive(listener: int) -> Attempt | None:
    """Wait for the next attempt; None if it is over by now.

    Raises
    ------
    OSError
        If all processes have ended that could make one.
    """
    data = bytearray(80)
    try:
        fcntl.ioctl(listener, _RECEIVE, data)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):  # the process was killed, or a signal came
            return None
        raise
    number, thread, _, call, _, _, *arguments = struct.unpack("QIIiIQ6Q", data)
    machine = platform.machine()
    made = next(each for each in _CALLS if getattr(each, machine) == call)
    return Attempt(number, thread, made.deed, tuple(_paths(made, thread, arguments)))


def answer(listener: int, attempt: Attempt, error: int = 0) -> None:
    """Let an attempt go on, or fail with the number of an ``error``."""
    data = struct.pack("QqiI", attempt.number, 0, -error, 0 if error else _GO_ON)
    with suppress(FileNotFoundError):  # its process has ended
        fcntl.ioctl(listener, _SEND, bytearray(data))


def _program(machine: str) -> Iterator[bytes]:
    """Yield the filter's instructions; a jump counts the instructions behind it that it skips."""
    yield _instruction(_LOAD, _MACHINE)
    yield _instruction(_EQUAL, _MACHINES[machine], 1, 0)
    yield _instruction(_RETURN, _ALLOW)
    for each in _CALLS:
        if (number := getattr(each, machine)) is None:
            continue
        body = [_instruction(_RETURN, _ASK)]
        if each.flags is not None:
            body = [
                _instruction(_LOAD, _ARGUMENTS + 8 * each.flags),  # the lower half: little-endian
                _instruction(_ANY_BIT, _WRITES, 0, 1),
                *body,
                _instruction(_RETURN, _ALLOW),
            ]
        yield _instruction(_LOAD, _NUMBER)
        yield _instruction(_EQUAL, number, 0, len(body))
        yield from body
    yield _instruction(_RETURN, _ALLOW)


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack(_INSTRUCTION, code, then, otherwise, value)


def _paths(call: _Call, thread: int, arguments: list[int]) -> Iterator[str]:
    """Yield the absolute paths of a call; none that cannot be read."""
    process = f"/proc/{thread}"
    with suppress(OSError), open(f"{process}/mem", "rb", buffering=0) as memory:
        for folder, place in call.paths:
            number = -1 if folder is None else ctypes.c_int(arguments[folder]).value
            below = f"{process}/cwd" if number < 0 else f"{process}/fd/{number}"
            path = os.fsdecode(_text(memory.fileno(), arguments[place]))
            yield os.path.join(os.readlink(below), path)


def _text(memory: int, address: int) -> bytes:
    """Return the bytes up to a zero, page by page: behind the last one may be nothing.

    Raises
    ------
    ProcessLookupError
        If the process was killed meanwhile: nothing comes of its memory, and no error.
    """
    text = b""
    while b"\0" not in text and len(text) < _MOST:
        if not (page := os.pread(memory, _MOST - address % _MOST, address)):
            raise ProcessLookupError
        text += page
        address += len(page)
    return text.partition(b"\0")[0]
