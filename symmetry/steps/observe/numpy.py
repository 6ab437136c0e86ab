"""Recording NumPy: arrays that report every operation on them through NumPy's array protocols.

A step is handed arrays of a subclass of ``ndarray``; results of operations on them are of that
subclass again, so the observation follows the data. Where code turns them into plain arrays in C
(a compiled function, another library) the trace is lost until an observed array meets the result.
"""

import operator
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np

from symmetry.observe.call import Call, Handle, Slot, fill
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.units.state import Array

_METHODS = (
    *("all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip"),
    *("compress", "copy", "cumprod", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min"),
    *("nonzero", "prod", "ptp", "ravel", "repeat", "reshape", "round", "searchsorted", "squeeze"),
    *("std", "sum", "take", "trace", "var"),
)
_BLANK = ("empty", "empty_like")
_WRITING_METHODS = ("fill", "partition", "put", "sort")
_WRITING = ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask")

# The tape that this thread's operations are reported to.
_listening: ContextVar[tuple[Tape, SourceLines] | None] = ContextVar("listening", default=None)


@contextmanager
def _reporting(to: tuple[Tape, SourceLines] | None) -> Iterator[None]:
    before = _listening.set(to)
    try:
        yield
    finally:
        _listening.reset(before)


def observing(tape: Tape, places: SourceLines) -> AbstractContextManager[None]:
    """Have observed arrays report to a tape while a block runs."""
    return _reporting((tape, places))


def unreported() -> AbstractContextManager[None]:
    """Report nothing while a block runs."""
    return _reporting(None)


def observed(array: Array) -> Array:
    """Return a view that reports what is done with it."""
    return array.view(ObservedArray)


def handle(array: Array) -> Handle:
    """Return an array as a tape records it: its memory, and its place there."""
    plain = array.view(np.ndarray)
    base = plain
    while isinstance(base.base, np.ndarray):
        base = base.base
    reference = weakref.ref(base)
    return Handle(plain, _address(base), lambda: reference() is not None, base.size)


class ObservedArray(np.ndarray[Any, Any]):
    """An array that reports every operation on it, and makes arrays that do the same."""

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        called = method == "__call__"
        name = ufunc.__name__ if called else f"{ufunc.__name__}.{method}"
        function = ufunc if called else getattr(ufunc, method)
        known = getattr(np, ufunc.__name__, None) is ufunc
        written = [args[0]] if method == "at" else []
        return report(name, function, args, kwargs, written, f"np.{name}" if known else None)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name, module = func.__name__, str(func.__module__)
        written = [args[0]] if name in _WRITING else []
        path = f"{module.replace('numpy', 'np', 1)}.{name}" if module.startswith("numpy") else None
        return report(name, func, args, kwargs, written, path)

    def __getitem__(self, key: Any) -> Any:
        if _is_basic(key):
            return super().__getitem__(key)
        return report("getitem", operator.getitem, (self, key), {}, [], "{0}[{1}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        if not _is_basic(key):
            report("setitem", operator.setitem, (self, key, value), {}, [self], "{0}[{1}] = {2}")
            return
        everything = key if isinstance(key, tuple) else (key,)
        if Ellipsis not in everything:
            everything = (*everything, Ellipsis)  # a view even where it is a single entry
        part = super().__getitem__(everything)
        if isinstance(value, np.ndarray) and _geometry(value) == _geometry(part):
            return  # the end of ``a[i] += b``: the addition has done it in place
        report("setitem", operator.setitem, (part, Ellipsis, value), {}, [part], "{0}[{1}] = {2}")


def report(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    written: Sequence[Any],
    path: str | None,
    *,
    random: bool = False,
) -> Any:
    """Do an operation on plain arrays, record it on the tape, and return observed results.

    ``written`` are the arguments that it changes, apart from those given as ``out``. ``path`` is
    how a script calls the function, or a format with a place for each argument.
    """
    if (listening := _listening.get()) is None:
        return function(*_plain(args), **{k: _plain(v) for k, v in kwargs.items()})
    tape, places = listening
    out = kwargs.get("out")
    listed = out if isinstance(out, tuple) else (out,)
    outs = [array for array in listed if isinstance(array, np.ndarray)]
    blank = name in _BLANK
    made: list[Handle] = []
    token = _listening.set(None)  # what the function calls in its turn belongs to it
    try:
        if tape.skips():
            results = function(*_plain(args), **{k: _plain(v) for k, v in kwargs.items()})
        else:
            taken = _Arguments()
            template, keywords = taken.take(args), {k: taken.take(v) for k, v in kwargs.items()}

            def perform(arrays: Sequence[Array]) -> Any:
                return function(*fill(template, arrays), **fill(keywords, arrays))

            call = Call(
                library="numpy",
                name=name,
                place=places.here(),
                operands=tuple(map(handle, taken.arrays)),
                dtypes=tuple(_name_of(array.dtype) for array in taken.arrays),
                perform=lambda arrays: _arrays(perform(arrays)),
                random=random,
                written=tuple(dict.fromkeys(taken.number(a) for a in [*written, *outs] if a.size)),
                blank=blank,
                args=template,
                kwargs=keywords,
                path=path,
            )
            tape.before(call)
            changed = [call.operands[position] for position in call.written]
            results = perform(taken.arrays)
            made = [handle(array) for array in _arrays(results)]
            tape.after(call, changed, made)
    finally:
        _listening.reset(token)
    if blank and isinstance(results, np.ndarray) and results.dtype.kind in "biufc":
        results.fill(0)  # what happens to lie in the memory is another thing in each run
    if made and isinstance(results, np.generic):
        return made[0].values[()]  # as the tape leaves it
    if outs:
        return outs[0] if len(listed) == 1 else out
    return _wrap(results)


def _plain(value: Any) -> Any:
    """Return arguments of a call with arrays that report nothing."""
    if isinstance(value, np.ndarray):
        return value.view(np.ndarray)
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


class _Arguments:
    """Arguments of a call taken apart: plain arrays, and the rest with slots in their places."""

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self._numbers: dict[int, int] = {}  # by the identity of an argument

    def take(self, value: Any) -> Any:
        """Return ``value`` with a slot for each array; the same array gets the same slot."""
        if isinstance(value, np.ndarray):
            if value.size == 0 or value.dtype.hasobject:
                return value.view(np.ndarray)
            number = self._numbers.setdefault(id(value), len(self.arrays))
            if number == len(self.arrays):
                self.arrays.append(value.view(np.ndarray))
            return Slot(number)
        if type(value) in (list, tuple):
            return type(value)(self.take(item) for item in value)
        return value

    def number(self, array: Array) -> int:
        """Return the slot of an array among the arguments."""
        return self._numbers[id(array)]


@cache
def _name_of(dtype: Any) -> str:
    """Return the name of a dtype; NumPy makes it anew each time, which takes long."""
    return str(dtype.name)


def _is_basic(key: Any) -> bool:
    """Return whether indexing by ``key`` gives a view."""
    return all(
        k is None
        or k is Ellipsis
        or (isinstance(k, slice | int | np.integer) and not isinstance(k, bool))
        for k in (key if isinstance(key, tuple) else (key,))
    )


def _method(name: str) -> Callable[..., Any]:
    original = getattr(np.ndarray, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = [self] if name in _WRITING_METHODS else []
        return report(name, original, (self, *args), kwargs, written, f"np.ndarray.{name}")

    method.__name__ = name
    return method


for _name in (*_METHODS, *_WRITING_METHODS):
    if hasattr(np.ndarray, _name):
        setattr(ObservedArray, _name, _method(_name))


def _geometry(array: Array) -> tuple[Any, ...]:
    return _address(array), array.shape, array.strides, array.dtype


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _arrays(value: Any) -> list[Array]:
    """Return the arrays in a result, and scalars, which the observed code gets as they are."""
    if isinstance(value, np.ndarray | np.generic):
        return [np.asarray(value)] if value.size and not value.dtype.hasobject else []
    return [a for item in value for a in _arrays(item)] if isinstance(value, list | tuple) else []


def _wrap(value: Any) -> Any:
    """Return results in which every array reports again."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.hasobject else observed(value)
    return type(value)(map(_wrap, value)) if type(value) in (list, tuple) else value
