"""Observing NumPy: arrays that report every operation on them through NumPy's array protocols.

A step is handed arrays of a subclass of ``ndarray``; results of operations on them are of that
subclass again, so the observation follows the data. Where code turns them into plain arrays in C
(a compiled function, another library) the trace is lost until an observed array meets the result.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit.call import Call, Observer, Operation, Slot, fill
from symmetry.culprit.geometry import Geometry, Handle, address
from symmetry.culprit.place import place

_METHODS = (
    *("all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip"),
    *("compress", "copy", "cumprod", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min"),
    *("nonzero", "prod", "ptp", "ravel", "repeat", "reshape", "round", "searchsorted", "squeeze"),
    *("std", "sum", "take", "trace", "var"),
)
_WRITING_METHODS = ("fill", "partition", "put", "sort")
_VIEWING = (
    *("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "atleast_1d"),
    *("atleast_2d", "reshape", "ravel", "squeeze", "transpose", "matrix_transpose", "swapaxes"),
    *("moveaxis", "expand_dims", "broadcast_to", "broadcast_arrays", "split", "array_split"),
    *("hsplit", "vsplit", "flip", "fliplr", "flipud", "diagonal"),
)
_WRITING = ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask")
_BLANK = ("empty", "empty_like")
_SHAPED = ("zeros_like", "ones_like", "full_like", "empty_like")
_JOINING = {
    "concatenate": (0, False),
    "stack": (0, True),
    "array": (0, True),
    "asarray": (0, True),
    "hstack": (1, False),
    "column_stack": (1, False),
    "vstack": (0, False),
}

_observers: list[Observer] = []
_thread = 0  # the one whose operations are observed


@contextmanager
def reporting_to(observer: Observer) -> Iterator[None]:
    """Have observed arrays report to ``observer``."""
    global _thread
    _thread = threading.get_ident()
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.pop()


@contextmanager
def unreported() -> Iterator[None]:
    """Keep what happens inside to oneself."""
    kept = _observers[:]
    _observers.clear()
    try:
        yield
    finally:
        _observers[:] = kept


def observed(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that reports what is done with it."""
    return array.view(Observed)


def handle(array: NDArray[Any]) -> Handle:
    """Return what an observer gets to know of an array."""
    plain = array.view(np.ndarray)
    base = plain
    while isinstance(base.base, np.ndarray):
        base = base.base
    reference = weakref.ref(base)
    return Handle(plain, address(base), lambda: reference() is not None)


class Observed(np.ndarray[Any, Any]):
    """An array that reports every operation on it, and makes arrays that do the same."""

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        written = [args[0]] if method == "at" else []
        known = getattr(np, ufunc.__name__, None) is ufunc
        return report(name, function, args, kwargs, written, f"np.{name}" if known else None)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__
        written = [args[0]] if name in _WRITING else []
        module = str(func.__module__)
        path = f"{module.replace('numpy', 'np', 1)}.{name}" if module.startswith("numpy") else None
        return report(name, func, args, kwargs, written, path, overwriting=name == "copyto")

    def __getitem__(self, key: Any) -> Any:
        if _is_basic(key):
            return super().__getitem__(key)
        return report("getitem", _get, (self, key), {}, [], None, text="{0}[{1}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        if _is_basic(key):
            everything = key if isinstance(key, tuple) else (key,)
            if Ellipsis not in everything:
                everything = (*everything, Ellipsis)  # a view even where it is a single entry
            part = super().__getitem__(everything)
            if isinstance(value, np.ndarray) and Geometry.of(value) == Geometry.of(part):
                return  # the end of ``a[i] += b``: the addition has done it in place
            arguments: tuple[Any, ...] = (part, Ellipsis, value)
        else:
            part, arguments = self, (self, key, value)
        report(
            "setitem",
            _set,
            arguments,
            {},
            [part],
            None,
            overwriting=part is not self,
            text="{0}[{1}] = {2}",
        )


def _get(array: NDArray[Any], key: Any) -> Any:
    return array[key]


def _set(array: NDArray[Any], key: Any, value: Any) -> None:
    array[key] = value


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
        return report(
            name,
            original,
            (self, *args),
            kwargs,
            written,
            f"np.ndarray.{name}",
            overwriting=name == "fill",
        )

    method.__name__ = name
    return method


for _name in (*_METHODS, *_WRITING_METHODS):
    if hasattr(np.ndarray, _name):
        setattr(Observed, _name, _method(_name))


def report(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    written: Sequence[Any],
    path: str | None,
    *,
    overwriting: bool = False,
    random: bool = False,
    text: str | None = None,
) -> Any:
    """Do an operation on plain arrays, tell the observer of it, and return observed results.

    Parameters
    ----------
    name
        By which the operation is reported.
    function, args, kwargs
        What to do.
    written
        The arguments that it changes, apart from those given as ``out``.
    path
        How a script calls the function; None if it cannot.
    overwriting
        Whether it replaces all of what it writes into.
    random
        Whether it makes random numbers.
    text
        How a script writes the operation, where it is no function call.
    """
    taken = _Arguments()
    template = taken.take(args)
    keywords = {key: taken.take(value) for key, value in kwargs.items() if key != "out"}
    inputs = len(taken.arrays)
    out = kwargs.get("out")
    if out is not None:
        keywords["out"] = taken.take(out)
    listed = out if isinstance(out, tuple) else (out,)
    outs = [array for array in listed if isinstance(array, np.ndarray)]
    if not _observers or threading.get_ident() != _thread:
        return function(*fill(template, taken.arrays), **fill(keywords, taken.arrays))
    changed = tuple(dict.fromkeys(taken.number(a) for a in [*written, *outs] if a.size))
    axis, stacked = _joined(name, args, kwargs)
    call = Call(
        name=name,
        place=place(),
        operands=tuple(map(handle, taken.arrays)),
        operation=_operation(function, template, keywords, path, text, taken.arrays),
        written=changed,
        overwritten=overwriting or (bool(outs) and not taken.reused(changed, inputs)),
        views=name in _VIEWING,
        blank=name in _BLANK,
        shaped=name in _SHAPED,
        random=random,
        joined=axis,
        stacked=stacked,
    )
    observer = _observers[-1]
    with unreported():  # what the function calls in its turn is a part of it
        observer.before(call)
        results = function(*fill(template, taken.arrays), **fill(keywords, taken.arrays))
        observer.after(call, [handle(array) for array in _arrays(results)])
    if outs:
        return outs[0] if len(listed) == 1 else out
    return _wrap(results)


class _Arguments:
    """Arguments of a call taken apart: plain arrays, and the rest with slots in their places."""

    def __init__(self) -> None:
        self.arrays: list[NDArray[Any]] = []
        self._numbers: dict[Geometry, int] = {}

    def take(self, value: Any) -> Any:
        """Return ``value`` with a slot for each array; the same array gets the same slot."""
        if isinstance(value, np.ndarray):
            if value.size == 0 or value.dtype.hasobject:
                return value.view(np.ndarray)
            number = self._numbers.setdefault(Geometry.of(value), len(self.arrays))
            if number == len(self.arrays):
                self.arrays.append(value.view(np.ndarray))
            return Slot(number)
        if type(value) in (list, tuple):
            return type(value)(self.take(item) for item in value)
        return value

    def number(self, array: NDArray[Any]) -> int:
        """Return the slot of an array among the arguments."""
        return self._numbers[Geometry.of(array)]

    def reused(self, written: Sequence[int], inputs: int) -> bool:
        """Return whether anything written to shares memory with one of the ``inputs`` first."""
        memories = [handle(array).memory for array in self.arrays]
        return any(memories[number] in memories[:inputs] for number in written)


def _joined(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int | None, bool]:
    """Return the axis along which a call joins its operands, and whether it is a new one."""
    pieces = args[0] if args else None
    if name not in _JOINING or not isinstance(pieces, list | tuple):
        return None, False
    if not pieces or not all(isinstance(piece, np.ndarray) for piece in pieces):
        return None, False
    axis, stacked = _JOINING[name]
    flat = pieces[0].ndim < 2
    if name in ("concatenate", "stack"):
        axis = int(kwargs.get("axis", args[1] if len(args) > 1 else 0) or 0)
        return axis % (pieces[0].ndim + stacked), stacked
    if name == "hstack":
        return (0 if flat else 1), False
    return axis, stacked or flat


def _operation(
    function: Callable[..., Any],
    args: Any,
    kwargs: Any,
    path: str | None,
    text: str | None,
    taken: Sequence[NDArray[Any]],
) -> Operation:
    def perform(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return _arrays(function(*fill(args, arrays), **fill(kwargs, arrays)))

    def write(names: Sequence[str]) -> str | None:
        texts = [_text(value, names) for value in args]
        words = {key: _text(value, names) for key, value in kwargs.items()}
        if None in texts or None in words.values():
            return None
        if text is not None:
            return text.format(*texts).replace("][...] = ", "] = ")
        listed = ", ".join([*map(str, texts), *(f"{key}={value}" for key, value in words.items())])
        return None if path is None else f"{path}({listed})"

    return Operation(perform, write, "numpy", tuple(array.dtype.name for array in taken))


def _text(value: Any, names: Sequence[str]) -> str | None:
    """Write an argument in Python, None if that is not possible."""
    if isinstance(value, Slot):
        return names[value.number]
    if type(value) in (list, tuple):
        items = [_text(item, names) for item in value]
        inside = ", ".join(map(str, items))
        one = "," if len(items) == 1 else ""
        listed = f"[{inside}]" if isinstance(value, list) else f"({inside}{one})"
        return None if None in items else listed
    if value is Ellipsis:
        return "..."
    if isinstance(value, np.generic):
        return f"np.{value.dtype}({value.item()!r})"
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return f'"{np.dtype(value)}"'
    if isinstance(value, float) and value - value != 0:
        return f'float("{value}")'
    if value in (float, int, bool):
        return str(value.__name__)
    simple = isinstance(value, bool | int | float | str | slice)
    return repr(value) if simple or value is None else None


def _arrays(value: Any) -> list[NDArray[Any]]:
    if isinstance(value, np.ndarray):
        return [value] if value.size and not value.dtype.hasobject else []
    if isinstance(value, list | tuple):
        return [array for item in value for array in _arrays(item)]
    return []


def _wrap(value: Any) -> Any:
    """Return results in which every array reports again."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.hasobject else observed(value)
    if type(value) in (list, tuple):
        return type(value)(_wrap(item) for item in value)
    return value
