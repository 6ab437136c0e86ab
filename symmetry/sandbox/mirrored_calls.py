"""Calls of functions in a file of the user's, each in a mirror of the file's folder.

A script has a process state of its own. A function is imported into this process, so its calls are
given the mirror one by one, and whatever this process writes between them is written for good.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symmetry.base.user_code import set_user_folder, user_folder
from symmetry.sandbox.folder_mirror import FolderMirror
from symmetry.sandbox.routes import Route


class MirroredCalls:
    """Runs the calls of one target in a mirror, which lasts as long as this object.

    Parameters
    ----------
    folders
        Those of the target.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._mirror: FolderMirror | None = None
        self._route: Route | None = None
        self._folder = ""  # the working directory that the last call has left
        self._inside = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Run the block in the mirror; a block within another one is in it already."""
        if self._inside:
            yield
            return
        if self._route is None:
            self._mirror = FolderMirror(*self._folders, told=_tell)
            self._folder = self._mirror.of(Path.cwd())
            self._route = Route(self._mirror, self._folder)
        outside, shown = os.getcwd(), user_folder()
        os.chdir(self._folder)
        set_user_folder(Path(outside))
        self._inside = True
        try:
            with self._route.taken():
                yield
        finally:
            self._inside = False
            set_user_folder(shown)
            self._folder = os.getcwd()
            os.chdir(outside)

    def remove(self) -> None:
        """Remove the mirror; another call makes a new one."""
        if self._route is not None and self._mirror is not None:
            self._route.end()
            self._mirror.forget_imports()
            self._mirror.remove()
            self._mirror = self._route = None


def _tell(path: str) -> None:
    print(f"the training writes {path}", file=sys.__stderr__)
