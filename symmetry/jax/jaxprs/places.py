"""The user's line behind an equation of a jaxpr."""

from __future__ import annotations

from typing import Any

from jax._src import source_info_util

from symmetry.base.libraries import Phase
from symmetry.base.user_code import kind_of
from symmetry.observe.source_line import NOWHERE, SourceLine


def place_of(equation: Any) -> SourceLine:
    """Return the innermost line of the user's own; a library's if the user has no line there."""
    info = equation.source_info
    library = NOWHERE
    for frame in source_info_util.user_frames(info.traceback):
        kind = kind_of(frame.file_name)
        if kind == "user":
            return SourceLine(frame.file_name, frame.start_line, _phase(info))
        if kind == "installed" and library is NOWHERE:
            library = SourceLine(frame.file_name, frame.start_line, _phase(info))
    return library


def has_users_line(info: Any) -> bool:
    """Return whether a line of the user's own led to an equation, by its source info."""
    frames = source_info_util.user_frames(info.traceback)
    return any(kind_of(frame.file_name) == "user" for frame in frames)


def _phase(info: Any) -> Phase:
    """Return the phase of an equation: JAX names the transformations that led to it."""
    names = str(info.name_stack)
    return "backward" if "transpose(" in names else "forward" if "jvp(" in names else "other"
