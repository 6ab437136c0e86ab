"""One array operation of any library."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from symmetry.base.libraries import is_type_of
from symmetry.observe.source_line import SourceLine
from symmetry.units.state import Array


@dataclass(slots=True, eq=False)
class Handle:
    """One array of a call."""

    values: Array  # a view of the framework's own memory wherever NumPy can read it
    memory: int  # the number of the block that it lies in: the same one for all views of that
    # Tells whether that block exists: a later one may get the same number.
    alive: Callable[[], bool]
    size: int  # how many numbers the block holds


@dataclass(slots=True, eq=False)
class Call:
    """One array operation, before it is done."""

    library: str  # the library that a script has to import: ``"torch"``, ``"numpy"`` or ``"jax"``
    name: str  # its usual name: ``"aten.mm"``, ``"matmul"``, ``"dot_general"``
    place: SourceLine  # the line of the user's code that calls it
    # The arrays among its arguments, in their order; the tape lets go of them after the event.
    operands: tuple[Handle, ...]
    dtypes: tuple[str, ...]  # the dtypes of the operands, as the library calls them
    # Takes NumPy arrays for the operands, writes into those that are written, returns the results.
    perform: Callable[[Sequence[Array]], list[Array]]
    random: bool  # whether its values come from a random number generator
    written: tuple[int, ...] = ()  # positions of the operands that it writes into
    blank: bool = False  # whether its result is uninitialised memory
    # Its arguments, with a slot in the place of each operand.
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    # How a script calls it, or a format with a place for each argument; None if it cannot.
    path: str | None = None

    def write(self, names: Sequence[str]) -> str | None:
        """Return the call as Python, with these names for the operands; None if it cannot be."""
        texts = [_text(value, names) for value in self.args]
        words = {key: _text(value, names) for key, value in self.kwargs.items()}
        if self.path is None or None in texts or None in words.values():
            return None
        if "{" in self.path:
            return self.path.format(*texts)
        listed = [*map(str, texts), *(f"{key}={value}" for key, value in words.items())]
        return f"{self.path}({', '.join(listed)})"


@dataclass(frozen=True)
class Slot:
    """Stands for the array of this number in the arguments of an operation."""

    number: int


def fill(template: Any, arrays: Sequence[Any]) -> Any:
    """Put arrays in the places of the slots, inside of lists, tuples and dictionaries too."""
    if isinstance(template, Slot):
        return arrays[template.number]
    if isinstance(template, dict):
        return {key: fill(value, arrays) for key, value in template.items()}
    if type(template) in (list, tuple):
        return type(template)(fill(value, arrays) for value in template)
    return template


def filler(template: Any) -> Callable[[Sequence[Any]], Any]:
    """Return ``fill`` for one template: it is faster if the template is filled many times.

    Lists and dictionaries without slots are not copied: do not write into them.
    """
    if isinstance(template, Slot):
        return itemgetter(template.number)
    if isinstance(template, dict):
        values = {key: filler(value) for key, value in template.items() if _has_slot(value)}
        return lambda arrays: {**template, **{key: get(arrays) for key, get in values.items()}}
    if not _has_slot(template):
        return lambda _: template
    kind, items = type(template), [filler(value) for value in template]
    return lambda arrays: kind([get(arrays) for get in items])


def _has_slot(template: Any) -> bool:
    if isinstance(template, dict):
        return any(map(_has_slot, template.values()))
    if type(template) in (list, tuple):
        return any(map(_has_slot, template))
    return isinstance(template, Slot)


def _text(value: Any, names: Sequence[str]) -> str | None:
    """Write an argument in Python; None if that is not possible."""
    if isinstance(value, Slot):
        return names[value.number]
    if type(value) in (list, tuple):
        items = [_text(item, names) for item in value]
        inside = ", ".join(map(str, items)) + ("," if len(items) == 1 else "")
        listed = f"[{inside}]" if isinstance(value, list) else f"({inside})"
        return None if None in items else listed
    if isinstance(value, np.generic):
        return f"np.{value.dtype}({value.item()!r})" if value == value else None
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return f'"{np.dtype(value)}"'
    if is_type_of(value, "dtype", "memory_format"):
        return str(value)
    if isinstance(value, float) and value - value != 0:
        return f'float("{value}")'
    if isinstance(value, type):
        return value.__name__ if value in (float, int, bool) else None
    plain = isinstance(value, bool | int | float | str | slice) or value is None
    return repr(value) if plain else "..." if value is ... else None
