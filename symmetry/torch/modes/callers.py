"""The frames of the running code, and the user's line among them."""

import sys
from collections.abc import Iterator
from types import FrameType

from symmetry.base.user_code import is_user_code, spell


def user_place(outside: type | tuple[type, ...] = ()) -> str:
    """Return ``file:line`` of the innermost line that is the user's own, in no method of these."""
    own = (
        f
        for f in callers()
        if is_user_code(f.f_code.co_filename) and not isinstance(f.f_locals.get("self"), outside)
    )
    return next((spell(f.f_code.co_filename, f.f_lineno) for f in own), "")


def callers() -> Iterator[FrameType]:
    """Yield the frames of the running code, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
