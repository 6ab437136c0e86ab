"""Which files are the user's own code, which belong to libraries, and which lines run now."""

import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from symmetry.base import libraries
from symmetry.base.libraries import Phase

PHASES: tuple[Phase, ...] = ("forward", "backward", "optimizer")

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = {"site-packages", "dist-packages"}
_COMPUTING = {"numpy", "numba"}  # libraries whose files are nothing that a user has installed
_OUR_STEPS = (("steps", "builtin"), ("network",))  # our folders with steps that are checked
# The callers of the user's step, by file: any function of it, or the one of this name.
_CALLERS: dict[tuple[str, ...], str] = {("steps", "step.py"): ""}
_user_folder: Path | None = None


def callers(beyond: FrameType | None = None) -> Iterator[FrameType]:
    """Yield the frames of the running code, or those that called a frame, the innermost first."""
    frame = sys._getframe(1) if beyond is None else beyond.f_back
    while frame is not None:
        yield frame
        frame = frame.f_back


def user_place(outside: type | tuple[type, ...] = ()) -> str:
    """Return ``file:line`` of the innermost line that is the user's own, in no method of these."""
    own = (
        f
        for f in callers()
        if is_user_code(f.f_code.co_filename) and not isinstance(f.f_locals.get("self"), outside)
    )
    return next((spell(f.f_code.co_filename, f.f_lineno) for f in own), "")


@cache
def is_ours(file: str) -> bool:
    """Return whether a file is one of this package."""
    return Path(file).is_relative_to(_PACKAGE)


def is_user_code(file: str) -> bool:
    """Return whether a file belongs to no library."""
    return bool(kind_of(file) == "user")


@cache
def kind_of(file: str) -> Any:
    """Return "user", "caller", "installed", or the phase of a training in a known library's file.

    It is empty for any other file of a known library, of this package and of Python itself.
    """
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        ours = path.relative_to(_PACKAGE).parts
        checked = any(ours[: len(folder)] == folder for folder in _OUR_STEPS)
        return "user" if checked else "caller" * (ours in _callers())
    if not _INSTALLED.isdisjoint(path.parts):
        below = path.parts[max(path.parts.index(name) for name in _INSTALLED & {*path.parts}) + 1 :]
        known = libraries.registered()
        if below[0] not in _COMPUTING.union(*(each.packages for each in known)):
            return "installed"
        phases = (each.phases.get("/".join(below[:2])) for each in known)
        return next(filter(None, phases), "")
    library = path.is_relative_to(sysconfig.get_path("stdlib"))
    in_a_file = path.suffix and not file.startswith("<")  # <string>, <frozen importlib._bootstrap>
    in_a_cell = file.startswith("<ipython-input-")  # of IPython in a terminal
    return "user" if in_a_cell or (in_a_file and not library) else ""


def _callers() -> Mapping[tuple[str, ...], str]:
    callers = (each.callers for each in libraries.registered())
    return dict(item for each in (_CALLERS, *callers) for item in each.items())


@cache
def calls_target(file: str, function: str) -> bool:
    """Return whether a function of a caller's file calls the user's step."""
    return _callers()[Path(file).relative_to(_PACKAGE).parts] in ("", function)


def spell(file: str, line: int) -> str:
    """Return a line of the user's code as all output spells it: ``train.py:12``."""
    return f"{shorten(file)}:{line}"


def user_folder() -> Path | None:
    """Return the user's working directory while another one is set; None if it is the usual."""
    return _user_folder


def set_user_folder(folder: Path | None) -> None:
    """Set the folder that paths are shown from: a script runs in a folder of its own."""
    global _user_folder
    _user_folder = folder


def shorten(file: str, folder: Path | None = None) -> str:
    """Return the path below a folder or the import path, so that it reads well.

    The folder is the working directory if none is given. A cell of a notebook has its number.
    """
    if cell := _cell(file):
        return cell
    path = Path(file)
    for above in (
        folder or _user_folder or Path.cwd(),
        _PACKAGE.parent,
        *map(Path, filter(None, sys.path)),
    ):
        if path.is_relative_to(above):
            return path.relative_to(above).as_posix()
    return path.as_posix()


def _cell(file: str) -> str:
    """Return ``In[3]`` for the name under which IPython has compiled a cell; empty for a file."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    number = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(file)
    return "" if number is None else f"In[{number}]"
