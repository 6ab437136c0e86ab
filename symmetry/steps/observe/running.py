"""Running code while a tape records its array operations, whichever libraries it uses."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import Any

import numpy as np

from symmetry.base.randomness import generators
from symmetry.base.user_code import is_user_code
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe import numpy as observe_numpy
from symmetry.steps.observe.substitutes import substituted


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
