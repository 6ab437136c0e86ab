"""A pool of mirrors: each is restored after a run, and used again."""

from __future__ import annotations

import os
import sys
from copy import copy
from pathlib import Path
from tempfile import TemporaryFile
from weakref import finalize

from symmetry.sandbox.folder_mirror import FolderMirror, WrittenFiles
from symmetry.sandbox.originals import Originals


class MirrorPool:
    """The mirrors of the runs of one script.

    Attributes
    ----------
    originals
        The user's files as they were before the first run.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._free: list[FolderMirror] = []
        self._told = _Told()
        self._files: WrittenFiles | None = None
        self.originals = Originals()

    def filled(self, files: WrittenFiles) -> MirrorPool:
        """Return the same pool, for runs that find files which another one has written."""
        other = copy(self)
        other._files = files
        return other

    def leave(self) -> None:
        """Leave all mirrors to the process that this one is a fork of, and make others."""
        self._left, self._free = self._free, []  # one that is freed is removed

    def take(self) -> FolderMirror:
        """Return a mirror in its first state, but for the files that runs are to find."""
        mirror = self._free.pop() if self._free else self._new()
        if self._files is not None:
            mirror.put(self._files)
        return mirror

    def _new(self) -> FolderMirror:
        return FolderMirror(*self._folders, told=self._tell, originals=self.originals)

    def give(self, mirror: FolderMirror) -> None:
        """Take a mirror back for the next run."""
        try:
            mirror.restore()
        except OSError:  # a file of the user's is there no more
            mirror.remove()
        else:
            self._free.append(mirror)

    def changed(self) -> str:
        """Say which of the user's files have changed since the first run; nothing if none has."""
        first, *others = self.originals.changed() or [""]
        more = f" and {len(others)} more files" if others else ""
        return first and (
            f"{first}{more} changed while it ran: if it writes there by other means than Python's "
            "own, check it in a copy of its folder"
        )

    def remove(self) -> None:
        """Remove the mirrors that no run uses."""
        while self._free:
            self._free.pop().remove()

    def _tell(self, path: str) -> None:
        """Say once which file a script writes that is not in a mirror."""
        if self._told.add(path):
            print(f"the script writes {path}", file=sys.__stderr__)


class _Told:
    """The files that were told, by this process or a fork of it."""

    def __init__(self) -> None:
        self._paths = TemporaryFile(buffering=0)  # noqa: SIM115 - it lasts as long as this
        finalize(self, self._paths.close)

    def add(self, path: str) -> bool:
        """Add a file; return whether it is new."""
        self._paths.seek(0)
        new = os.fsencode(path) not in self._paths.read().split(b"\0")
        if new:
            self._paths.write(os.fsencode(path) + b"\0")
        return new
