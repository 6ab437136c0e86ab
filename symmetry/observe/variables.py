"""The names that the user's code has for objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symmetry.base.user_code import callers, is_user_code


def variable_of(thing: object) -> str:
    """Return the variable, or the attribute of ``self``, that holds an object; empty without one.

    Names of outer functions come first: inner ones are called with several objects, under one name.
    """
    found = ""
    for frame in callers():
        if is_user_code(frame.f_code.co_filename):
            found = _name_in(frame.f_locals, thing) or found
    return found


def _name_in(scope: Mapping[str, Any], thing: object) -> str:
    for name, value in scope.items():
        if value is thing and name != "self":
            return name
    for name, value in getattr(scope.get("self"), "__dict__", {}).items():
        if value is thing:
            return f"self.{name}"
    return ""
