"""The supervisor of a confined process: it decides which files that one and its children change.

It runs in threads of the process that has started the confined one, and is not confined itself. So
it also does what the confined process wants as the tool, and not for the user's code: it writes the
files of reports.
"""

from __future__ import annotations

import errno
import os
import pickle
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from symmetry.base import files
from symmetry.sandbox.confinement import seccomp
from symmetry.sandbox.confinement.seccomp import Attempt
from symmetry.sandbox.shared import SYSTEM, is_below

ADDRESS = "SYMMETRY_SUPERVISOR"  # in the environment of a process that is to be confined
_LENGTH = "Q"
_pickled, _unpickled = pickle.dumps, pickle.loads  # code under test may replace them
_CACHED = "__pycache__"  # Python does without
_FILES: dict[str, Callable[..., None]] = {
    "write_all": files.write_all,
    "append": files.append,
    "writable_files": files.writable_files,
    "writable_directory": files.writable_directory,
}


class Supervisor:
    """Answers the questions of one confined process, of its children, and of the kernel.

    Attributes
    ----------
    address
        What the confined process finds in its environment.
    """

    def __init__(self) -> None:
        self.address = f"symmetry-{os.urandom(16).hex()}"
        self._places: tuple[str, ...] = ()
        self._refused: list[str] = []  # folders, the first one first
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(f"\0{self.address}")  # a name without a file
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop the threads."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, suppress(OSError, EOFError):
                    if _user_of(connection) == os.getuid():
                        self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        numbers, (question, *values) = _received(connection)
        returned: Any = None
        try:
            if question == "watch":
                self._places = values[0]
                threading.Thread(target=self._decide, args=numbers, daemon=True).start()
            elif question == "refused":
                returned = [*self._refused]
            else:
                _FILES[question](*values)
        except Exception as error:
            returned = error
        _send(connection, returned)

    def _decide(self, listener: int) -> None:
        """Decide on attempts to change files, as long as there is a process that can make some."""
        with suppress(OSError):
            while True:
                if (attempt := seccomp.receive(listener)) is not None:
                    seccomp.answer(listener, attempt, self._error(attempt))
        os.close(listener)

    def _error(self, attempt: Attempt) -> int:
        """Return the number of the error that an attempt gets, 0 for none; remember the folder."""
        for path in attempt.paths:
            if _changes(attempt.deed, path) and not self._is_inside(attempt.deed, path):
                folder = path if attempt.deed == "mkdir" else os.path.dirname(path)
                if folder not in self._refused and not _is_of_python(path):
                    self._refused.append(folder)
                return errno.EACCES
        return 0

    def _is_inside(self, deed: str, path: str) -> bool:
        if path.startswith(SYSTEM) and os.pardir not in path:  # links of each process's own
            return True
        folder, name = os.path.split(path)
        follows = deed in ("open", "truncate")
        real = os.path.realpath(path) if follows else os.path.join(os.path.realpath(folder), name)
        return is_below(real, self._places)


def _changes(deed: str, path: str) -> bool:
    """Return whether an attempt would change something: else its own error is the right one."""
    if deed == "mkdir":
        return not os.path.lexists(path)
    if deed in ("open", "link"):
        return os.path.exists(os.path.dirname(path))
    return os.path.lexists(path)


def _is_of_python(path: str) -> bool:
    """Return whether a file belongs to Python or its packages, which do without it."""
    return _CACHED in path or path.startswith((sys.prefix + os.sep, sys.base_prefix + os.sep))


def ask(address: str, *question: Any, number: int | None = None) -> Any:
    """Return the answer of a supervisor to a question; it may come with a file descriptor.

    Raises
    ------
    Exception
        What doing it has raised there.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"\0{address}")
        _send(connection, question, () if number is None else (number,))
        _, returned = _received(connection)
    if isinstance(returned, Exception):
        raise returned
    return returned


def _send(connection: socket.socket, value: Any, numbers: Sequence[int] = ()) -> None:
    data = _pickled(value)
    socket.send_fds(connection, [struct.pack(_LENGTH, len(data))], [*numbers])
    connection.sendall(data)


def _received(connection: socket.socket) -> tuple[list[int], Any]:
    """Return the file descriptors, and the value, that come next."""
    head, numbers, _, _ = socket.recv_fds(connection, struct.calcsize(_LENGTH), 1)
    if not head:
        raise EOFError
    left, parts = struct.unpack(_LENGTH, head)[0], []
    while left:
        parts.append(connection.recv(min(left, 1 << 20)))
        left -= len(parts[-1])
        if not parts[-1]:
            raise EOFError
    return numbers, _unpickled(b"".join(parts))


def _user_of(connection: socket.socket) -> int:
    """Return the number of the user of a process at the other end."""
    size = struct.calcsize("iII")
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    user: int = struct.unpack("iII", peer)[1]
    return user
