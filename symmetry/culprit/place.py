"""Where in the user's code an operation was asked for."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = {"site-packages", "dist-packages"}
_LIBRARIES = ("torch", "numpy", "jax", "jaxlib", "numba")
_PARTS = {"torch/autograd": "backward", "torch/optim": "optimiser"}


@dataclass(frozen=True)
class Place:
    """Where the user's code asked for an operation.

    Attributes
    ----------
    file, line
        Of the innermost frame that belongs to no library; an empty name if there is none.
    during
        ``"backward"`` inside of autograd, ``"optimiser"`` inside of a framework's own optimiser,
        else empty.
    """

    file: str
    line: int
    during: str = ""

    @property
    def source(self) -> str:
        """The text of the line, or an empty string where it cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{_shorten(self.file)}:{self.line}" if self.file else ""


def place() -> Place:
    """Return where the innermost code on the stack is that is the user's own.

    That is, code of no library; if there is none, of no library that is known here.
    """
    frame: FrameType | None = sys._getframe(1)
    during, second = "", None
    while frame is not None:
        kind = _kind(frame.f_code.co_filename)
        if kind == "user":
            return Place(frame.f_code.co_filename, frame.f_lineno, during)
        if kind == "installed":
            second = second or Place(frame.f_code.co_filename, frame.f_lineno, during)
        else:
            during = during or kind
        frame = frame.f_back
    return second or Place("", 0, during)


def is_user_code(file: str) -> bool:
    """Return whether a file belongs to no library."""
    return _kind(file) == "user"


@cache
def _kind(file: str) -> str:
    """Return "user", "installed", or for a known library the part of training that a file is in."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        ours = path.relative_to(_PACKAGE).parts
        return "user" if ours[0] in ("network", "trainers") and ours[-1] != "trainer.py" else ""
    if not _INSTALLED.isdisjoint(path.parts):
        below = path.parts[max(path.parts.index(name) for name in _INSTALLED & {*path.parts}) + 1 :]
        if below[0] not in _LIBRARIES:
            return "installed"
        return _PARTS.get("/".join(below[:2]), "")
    library = path.is_relative_to(sysconfig.get_path("stdlib"))
    return "" if library or not path.suffix else "user"


def _shorten(file: str) -> str:
    """Return the path below the working directory or the import path, so that it reads well."""
    path = Path(file)
    for folder in (Path.cwd(), _PACKAGE.parent, *map(Path, filter(None, sys.path))):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return path.as_posix()
