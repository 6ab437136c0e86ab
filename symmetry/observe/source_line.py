"""The line of the user's code behind an operation."""

import linecache
import sys
from dataclasses import dataclass, replace
from functools import cache
from types import FrameType
from typing import Any

from symmetry.base import libraries
from symmetry.base.libraries import Phase
from symmetry.base.user_code import PHASES, callers, calls_target, kind_of, shorten, spell


@dataclass(frozen=True)
class SourceLine:
    """The line of the user's code behind an operation: the innermost frame of no library.

    In a backward that a library derives it is the line of the forward.
    """

    # The frame's; an empty file if there is no such frame.
    file: str
    line: int
    phase: Phase = "other"  # the phase of the training
    module: str = ""  # the path of the innermost module whose forward it belongs to

    @property
    def source(self) -> str:
        """The text of the line, or an empty string where it cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def shown(self) -> str:
        """The file's path as it is shown, or an empty string."""
        return shorten(self.file) if self.file else ""

    @property
    def reference(self) -> tuple[str, int] | tuple[None, None]:
        """The file as it is shown, and the line: what records of violations and notes hold."""
        return (self.shown, self.line) if self.file else (None, None)

    def __str__(self) -> str:
        if self.file:
            return spell(self.file, self.line)
        return f"module {self.module}" if self.module else ""


NOWHERE = SourceLine("", 0)


def asked_at(beyond: FrameType | None = None) -> SourceLine:
    """Return the line behind the running operation: the innermost line of the user's own.

    With a frame it is the line that called that frame.

    Inside of a module that a library defines it is the library's line: the user's own would be
    the same for all that a model of transformers does.
    """
    library: FrameType | None = None
    for frame in callers(beyond):
        kind = kind_of(frame.f_code.co_filename)
        if kind == "user":
            return _place(frame.f_code.co_filename, frame.f_lineno)
        if kind == "installed":
            library = library or frame
        elif kind == "forward" and library and frame.f_code.co_name == "_call_impl":
            break
    return _place(library.f_code.co_filename, library.f_lineno) if library else NOWHERE


def users_line() -> SourceLine:
    """Return the innermost line of the user's own; a library's if the step has none.

    Unlike ``asked_at`` it is not the library's line inside of a module that a library defines.
    """
    library = NOWHERE
    for frame in callers():
        kind = kind_of(frame.f_code.co_filename)
        if kind == "user":
            return _place(frame.f_code.co_filename, frame.f_lineno)
        if kind == "caller" and calls_target(frame.f_code.co_filename, frame.f_code.co_name):
            break  # what is beyond asked for the check
        if kind == "installed" and library is NOWHERE:
            library = _place(frame.f_code.co_filename, frame.f_lineno)
    return library


def recomputing_line() -> SourceLine | None:
    """Return the line of the user's own backward that is running, if one is.

    It is the one that calls, not the lines of modules that it calls.
    """
    found = None
    for frame in callers():
        kind = kind_of(frame.f_code.co_filename)
        if kind == "backward":
            return found
        if kind == "user":
            found = _place(frame.f_code.co_filename, frame.f_lineno)
    return None


def defined_at(function: Any) -> SourceLine:
    """Return the line where a function of the user's own is defined."""
    code = getattr(function, "__code__", None)
    if code is None or kind_of(code.co_filename) != "user":
        return NOWHERE
    return _place(code.co_filename, code.co_firstlineno)


class SourceLines:
    """Finds the user's code on the stack, the forward behind a backward, and paths of modules."""

    def __init__(self, modules: dict[int, str] | None = None) -> None:
        self._modules = {} if modules is None else modules
        known = libraries.registered()
        self._nodes = [(each, each.nodes) for each in known if each.nodes is not None]
        self._forwards: dict[int | None, SourceLine] = {}  # by the number of its last node

    def here(self, *, asking: bool = True) -> SourceLine:
        """Return the place of the running operation: the innermost code that is the user's own.

        That is, code of no library; failing that, of no library that is listed here. In a backward
        without a forward behind it, it is the line that calls the backward; unless ``asking`` is
        false: then there is no place.
        """
        found, asked = self._on_stack()
        for library, nodes in self._nodes:
            if not library.is_imported:
                continue
            if found.phase == "backward" and asked:
                forward = self._forwards.get(nodes.running())
                if forward is None:
                    return found if asking else SourceLine("", 0, "backward")
                return replace(forward, phase="backward")
            if found.phase != "backward":
                self._forwards.setdefault(nodes.last(), found)
        return found

    def _on_stack(self) -> tuple[SourceLine, bool]:
        """Return the place, and whether it only called the backward that is going on."""
        frame: FrameType | None = sys._getframe(2)  # every operation comes here: without callers
        phase: Phase | None = None
        module, place, asked = "", None, False
        second: SourceLine | None = None
        layer = ""  # the class of the innermost module
        while frame is not None:
            file = frame.f_code.co_filename
            kind = kind_of(file)
            if kind == "caller" and calls_target(file, frame.f_code.co_name):
                # The frames beyond called for the check, not for the operation.
                break
            if kind in PHASES:
                if kind == "forward" and frame.f_code.co_name == "_call_impl":
                    called = frame.f_locals["self"]
                    module = module or self._modules.get(id(called), "")
                    layer = layer or type(called).__name__
                phase = "backward" if "backward" in (phase, kind) else phase or kind
            elif kind == "user" and place is None:
                place, asked = SourceLine(file, frame.f_lineno), phase == "backward"
                if phase is None and _is_optimizer(frame):
                    phase = "optimizer"
            elif kind == "installed":
                second = second or SourceLine(file, frame.f_lineno)
            frame = frame.f_back
        found = place or second or NOWHERE
        module = module or ("" if found.file else layer)
        return _place(found.file, found.line, phase or "other", module), asked


_place = cache(SourceLine)  # the same ones come again and again


def _is_optimizer(frame: FrameType) -> bool:
    if frame.f_code.co_varnames[:1] != ("self",):
        return False
    return bool(hasattr(frame.f_locals.get("self"), "param_groups"))
