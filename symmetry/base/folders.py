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
_SHORT = "m"  # the prefix inside of one
# Paths of sockets have at most 107 bytes. Multiprocessing adds 32 to a folder of temporary files,
# and the folder of a run adds 13 to the folder of a check.
_LONGEST = 107 - 32 - 13
_SHORT_PLACES = "/tmp", "/var/tmp", "/dev/shm"
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

    Attributes
    ----------
    path
        Its real path. It is not locked itself, since whoever writes files locks their folder.
    short
        A path to it below which sockets have paths that fit: a link, if its own is too long.
    """

    def __init__(self, inside: str | None = None) -> None:
        if inside:
            self.short = tempfile.mkdtemp(prefix=_SHORT, dir=inside)
            self.path = os.path.realpath(self.short)
            self.remove = weakref.finalize(self, _remove, (self.path, None))
            return
        made = [_locked()]
        self.path = self.short = str(Path(made[0][0], INNER))
        Path(self.path).mkdir()
        places = [place for place in _SHORT_PLACES if os.access(place, os.W_OK | os.X_OK)]
        if len(os.fsencode(self.path)) > _LONGEST and places:
            made.append(_locked(places[0]))
            self.short = str(Path(made[1][0], INNER))
            Path(self.short).symlink_to(self.path)
        self.remove = weakref.finalize(self, _remove, *made)
        for folder, _ in made:
            _remove_left_behind(Path(folder).parent)

    def __enter__(self) -> str:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.remove()


def _locked(place: str | None = None) -> tuple[str, int | None]:
    """Make a folder in a place; return its real path and its lock."""
    made = os.path.realpath(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    return made, _lock(made)


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


def _remove(*folders: tuple[str, int | None]) -> None:
    for path, lock in folders:
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
                    _remove((entry.path, lock))
