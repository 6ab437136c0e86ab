"""Running code while a tape records its array operations, whichever libraries it uses.

NumPy's protocols do not reach ``np.zeros``, ``np.array``, ``np.asarray`` or random generators.
While a step is observed, the user's own code, not a library's, gets versions whose arrays report.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from symmetry.base.randomness import generators
from symmetry.base.user_code import is_user_code
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe import numpy as observe_numpy
from symmetry.steps.observe.numpy import report, unreported

_MAKING = (
    *("arange", "array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "empty"),
    *("eye", "full", "identity", "linspace", "logspace", "ones", "tri", "zeros"),
)
_NOT_DRAWING = {"bit_generator", "bytes", "get_state", "seed", "set_state", "shuffle", "spawn"}
_DRAWING = {*dir(np.random.Generator), *dir(np.random.RandomState)} - _NOT_DRAWING
_DRAWING = {name for name in _DRAWING if not name.startswith("_")}


def _drawing(owner: Any, name: str, path: str) -> Callable[..., Any]:
    """Return a version of a function of ``np.random``, or of a method of a kind of generator."""
    original = getattr(owner, name)

    def draw(*args: Any, **kwargs: Any) -> Any:
        own = args[: isinstance(owner, type)]  # the generator itself is no argument of a script
        function, given = partial(original, *own), args[len(own) :]
        return report(f"random.{name}", function, given, kwargs, [], path, random=True)

    return draw


class _Generator(np.random.Generator):
    """A generator whose arrays report."""


_LegacyGenerator = np.random.RandomState


class _AnyLegacyGenerator(type):
    """Lets a library's question whether something is a ``RandomState`` have its usual answer."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _LegacyGenerator)


class _RandomState(_LegacyGenerator, metaclass=_AnyLegacyGenerator):
    """A legacy generator whose arrays report."""

    def __init__(self, seed: Any = 0) -> None:
        with unreported():
            super().__init__(seed)


for _kind, _maker in ((_Generator, "default_rng"), (_RandomState, "RandomState")):
    for _name in _DRAWING:
        if hasattr(_kind, _name):
            setattr(_kind, _name, _drawing(_kind, _name, f"np.random.{_maker}(0).{_name}"))


_KINDS = {
    np.random.Generator: (_Generator, "bit_generator"),
    np.random.RandomState: (_RandomState, "_bit_generator"),
}


def _making(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a version of one of NumPy's functions for the user's code."""

    def make(*args: Any, **kwargs: Any) -> Any:
        if not is_user_code(sys._getframe(1).f_code.co_filename):
            return original(*args, **kwargs)
        return report(name, original, args, kwargs, [], f"np.{name}")

    make.__name__ = name
    return make


def _table() -> dict[int, tuple[Any, Any]]:
    """Return what is replaced, by identity: the original and its stand-in."""
    pairs = [(getattr(np, name), _making(name, getattr(np, name))) for name in _MAKING]
    drawing = [name for name in _DRAWING if hasattr(np.random, name)]
    pairs += [(getattr(np.random, n), _drawing(np.random, n, f"np.random.{n}")) for n in drawing]
    original = np.random.default_rng

    def default_rng(seed: Any = 0) -> Any:  # every run has to draw the same numbers
        with unreported():
            return _Generator(original(seed).bit_generator)

    pairs += [(original, default_rng), (np.random.RandomState, _RandomState)]
    return {id(original): (original, substitute) for original, substitute in pairs}


@contextmanager
def substituted(namespaces: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Put the stand-ins into NumPy and into ``namespaces``, and take them out again.

    What those have imported by name is replaced as well, and so are the generators that they keep.
    """
    table = _table()
    with ExitStack() as stack:

        def replace(namespace: dict[str, Any], name: str, substitute: Any) -> None:
            stack.callback(namespace.__setitem__, name, namespace[name])
            namespace[name] = substitute

        for namespace in (vars(np), vars(np.random), *namespaces):
            for name, value in list(namespace.items()):
                if id(value) in table and table[id(value)][0] is value:
                    replace(namespace, name, table[id(value)][1])
        for namespace in namespaces:
            for name, value in list(namespace.items()):
                if type(value) in _KINDS:
                    kind, attribute = _KINDS[type(value)]
                    replace(namespace, name, kind(getattr(value, attribute)))
        yield


@contextmanager
def observing(tape: Tape, function: Callable[..., Any], places: SourceLines) -> Iterator[None]:
    """Observe NumPy, and every framework that has been imported, in the user's ``function``."""
    with ExitStack() as stack:
        stack.enter_context(observe_numpy.observing(tape, places))
        stack.enter_context(substituted(_namespaces(function)))
        if "torch" in sys.modules:
            from symmetry.torch.watch import tape as torch_tape

            stack.enter_context(torch_tape.observing(tape, places))
        if "jax" in sys.modules:
            with suppress(ImportError):  # a release whose inside is not known
                from symmetry.steps.observe import jax

                stack.enter_context(jax.observing(tape, places))
        yield


@contextmanager
def seeded(function: Callable[..., Any]) -> Iterator[None]:
    """Start every run from the same random numbers, and leave no trace of having drawn some.

    Global generators get a seed; those that the user's modules keep are what they were.
    """
    values = [value for space in _namespaces(function) for value in space.values()]
    own = [v for v in values if isinstance(v, np.random.Generator | np.random.RandomState)]
    with generators.kept([*generators.shared(), *own]):
        generators.seed_all(0)
        yield


def _namespaces(function: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return the globals of the user's code: of a function, and of modules of no library.

    Those are where names imported from NumPy are, and random generators that a module keeps.
    """
    modules = [m for m in list(sys.modules.values()) if id(m) not in _libraries]
    found = [vars(module) for module in modules if _is_the_users(module)]
    own = getattr(inspect.unwrap(function), "__globals__", None)
    return found if own is None or any(own is known for known in found) else [*found, own]


_libraries: dict[int, ModuleType] = {}  # by identity: thousands, and each run asks for them


def _is_the_users(module: object) -> bool:
    """Return whether a module is one, and belongs to no library."""
    if not isinstance(module, ModuleType):
        return False
    file = vars(module).get("__file__") or ""
    if is_user_code(file):
        return True
    if file:  # or it may get one yet
        _libraries[id(module)] = module
    return False
