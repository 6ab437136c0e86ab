"""Arguments of a training as one line that can be typed: ``hidden=3 rate=0.01 norm=batch``."""

from __future__ import annotations

import ast
import math
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from symmetry.base.errors import SymmetryError

Arguments = Mapping[str, Any]


def spell(arguments: Arguments) -> str:
    """Return arguments in one line, quoted for a shell."""
    return shlex.join(f"{name}={text(value)}" for name, value in arguments.items())


def text(value: Any) -> str:
    """Return a value as it is typed: a word has no quotation marks unless it looks like another."""
    return value if isinstance(value, str) and value and value_of(value) == value else repr(value)


def value_of(typed: str) -> Any:
    """Return the Python literal that a text is, or else the text."""
    try:
        return ast.literal_eval(typed)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return typed


def read(words: Iterable[str]) -> dict[str, Any]:
    """Return the arguments that words such as ``hidden=3`` give.

    Raises
    ------
    SymmetryError
        If one is not of this form, or a name comes twice.
    """
    arguments: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name.isidentifier():
            raise SymmetryError(f"an argument is NAME=VALUE, such as hidden=3, not {word!r}")
        if name in arguments:
            raise SymmetryError(f"the argument {name} comes twice")
        arguments[name] = value_of(value)
    return arguments


def refuse_unprintable(name: str, value: Any) -> None:
    """Raise SymmetryError if a value cannot be typed on a command line."""
    typed = text(value)
    if typed.isprintable() and _same(value_of(typed), value):
        return
    raise SymmetryError(
        f"{name} draws {' '.join(repr(value).split())[:80]}, which cannot be typed on a command "
        "line: draw numbers, words or tuples of them, and look others up in the training"
    )


def is_number(value: Any) -> bool:
    """Return whether a value has an order: a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
