"""Folders of our own.

Temporary ones are removed with their owner, or after a kill by whoever makes the next one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows nothing is known of an owner
    fcntl = None

PREFIX, INNER = "symmetry-run-", "files"
_SHORT = "m"  # the prefix inside of one: names of sockets have at most 107 bytes
_rmtree = shutil.rmtree  # a script may find another one
_NEW = 60  # seconds in which a folder may be without its lock: it is just being made


def cache_folder() -> Path:
    """Return the folder in which checks leave something for later ones; it may not be there yet.

    Raises
    ------
    RuntimeError
        If the user has no folder.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "symmetry")


class TemporaryFolder:
    """A new folder in one that this process locks; the system unlocks it whatever ends the process.

    Leftovers of killed processes next to it are removed: folders without a lock, of the same
    pattern of names, that hold nothing but such a folder.

    Parameters
    ----------
    inside
        An existing folder, which somebody else removes; the system's temporary one by default.
    """

    def __init__(self, inside: str | None = None) -> None:
        made = os.path.realpath(tempfile.mkdtemp(prefix=_SHORT if inside else PREFIX, dir=inside))
        lock = None if inside else _lock(made)
        self.remove = weakref.finalize(self, _remove, made, lock)
        # Its real path. It is not locked itself, since whoever writes files locks their folder.
        self.path = made
        if not inside:
            inner = Path(made, INNER)
            inner.mkdir()
            self.path = str(inner)
            _remove_left_behind(Path(made).parent)

    def __enter__(self) -> str:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.remove()


def _lock(path: str) -> int | None:
    """Lock a folder; return the file descriptor that holds the lock, or None if another has it."""
    if fcntl is None:
        return None
    with suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(number)
        else:
            return number
    return None


def _remove(path: str, lock: int | None) -> None:
    _rmtree(path, ignore_errors=True)
    if lock is not None:
        with suppress(OSError):
            os.close(lock)


def _remove_left_behind(folder: Path) -> None:
    """Remove the folders of this user whose owners have been killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
                continue
            with suppress(OSError):
                if any(inner.name != INNER for inner in Path(entry.path).iterdir()):
                    continue  # somebody else's
                known = entry.stat(follow_symlinks=False)
                old = time.time() - known.st_mtime > _NEW
                if old and known.st_uid == os.getuid() and (lock := _lock(entry.path)) is not None:
                    _remove(entry.path, lock)
