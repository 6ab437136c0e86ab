"""Options, each declared once: a field of a dataclass, with a record of what all faces need.

The command line makes its options from these fields, Python the signatures and docstrings of its
functions. A field with a tuple as default takes several values, one with a dictionary takes pairs.
A ``TypedDict`` beside the dataclass names the options of a function, and their types for checkers.

The command line imports it before it does its work, so it imports nothing heavy.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, TypeVar

from symmetry.base.errors import SymmetryError

Patterns = str | Iterable[str]

LARGEST_SEED = 2**32 - 1  # that every generator takes: NumPy's oldest one has this

_KEY = "about"
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class About:
    """A record on an option, beside the name, the type and the default of its field."""

    text: str  # what it does, in a sentence
    metavar: str | None = None  # what the help calls its value; None for a flag or a choice
    least: int | None = None  # the smallest number that makes sense
    most: int | None = None  # the largest number that makes sense, if there is one
    positive: bool = False  # whether it is a positive number, which need not be whole
    choices: tuple[str, ...] = ()  # all values that make sense
    # Its name on the command line, if that is not the name of the field; None if it has none there.
    flag: str | None = ""
    typed: str = ""  # what the help adds for those who type it


def option(text: str, metavar: str | None = None, **more: Any) -> dict[str, About]:
    """Return the metadata of a field that is an option."""
    return {_KEY: About(text, metavar, **more)}


def declared(options: type, keywords: type | None = None) -> Iterator[tuple[Field[Any], About]]:
    """Yield the fields that are options, each with its record; with keywords these, in order."""
    records = {f.name: f for f in fields(options) if _KEY in f.metadata}
    for name in records if keywords is None else keywords.__annotations__:
        yield records[name], records[name].metadata[_KEY]


def default_of(field: Field[Any]) -> Any:
    """Return the default of a field."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def is_number(field: Field[Any]) -> bool:
    """Return whether an option is a whole number, or None by default."""
    return field.metadata[_KEY].least is not None and field.default_factory is MISSING


def settle(options: Any) -> None:
    """Make a tuple of several values, and refuse values that make no sense.

    Raises
    ------
    SymmetryError
        If a number is too small, or a value is not among the choices.
    """
    for field, record in declared(type(options)):
        value = getattr(options, field.name)
        if field.default == ():
            value = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(options, field.name, value)
            _refuse_others(field.name, value, record.choices)
        elif value is None and field.default is None:
            continue
        elif is_number(field):
            _refuse_beyond(field.name, value, record.least or 0, record.most)
        elif record.positive and not (_is_real(value) and 0 < value < math.inf):
            raise SymmetryError(f"{field.name} must be a positive number, not {value!r}")


def _refuse_others(name: str, values: Iterable[Any], choices: tuple[str, ...]) -> None:
    for value in values:
        if choices and value not in choices:
            raise SymmetryError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_beyond(name: str, value: Any, least: int, most: int | None) -> None:
    """Refuse what is no integer between two others."""
    known = isinstance(value, int) and not isinstance(value, bool)
    if not known or value < least or (most is not None and value > most):
        range_ = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise SymmetryError(f"{name} must be an integer {range_}, not {value!r}")


def takes(options: type, keywords: type) -> Callable[[_Function], _Function]:
    """Return a decorator that shows the options of a function in its signature and docstring.

    The function has ``**options``, which stand there for all of them.
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        shown = [_parameter(field) for field, _ in declared(options, keywords)]
        ordered = sorted([*own, *shown], key=lambda parameter: parameter.kind)
        function.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]
        texts = [
            f"{field.name} : {field.type}\n    {record.text}"
            for field, record in declared(options, keywords)
        ]
        doc = inspect.getdoc(function) or ""
        function.__doc__ = "\n".join([doc, "", "Other Parameters", "-" * 16, *texts])
        return function

    return decorate


def _parameter(field: Field[Any]) -> inspect.Parameter:
    """Return the parameter of a function that a field stands for."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=default_of(field), annotation=field.type)
