"""The user's own files behind the links of a mirror: none of them may change while a script runs.

A library that opens files by itself, in C say, may write through a link. Small files are copies.
Changes of large files, and of files that such libraries write, are found afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_MOST = 20_000  # files that are looked at

Known = tuple[int, int]  # time of the last change in nanoseconds, and size


class Originals:
    """Remembers files as they were when they were first linked, and says which have changed."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def note(self, path: str) -> None:
        """Remember a file, or all files below a folder, as they are at the first call."""
        for file in (path, *_below(path)):
            if len(self._known) == _MOST:
                return
            if file not in self._known and (known := known_of(file)) is not None:
                self._known[file] = known

    def changed(self) -> list[str]:
        """Return the files that have changed."""
        return [path for path, known in self._known.items() if known_of(path) != known]


def known_of(path: str) -> Known | None:
    """Return the facts that change with a file; None without such a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if not os.path.isdir(path) else None


def _below(path: str) -> Iterable[str]:
    return (os.path.join(top, name) for top, _, names in os.walk(path) for name in names)
