"""Running a training step while somebody watches its array operations."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit.call import Observer
from symmetry.culprit.layout import Axis, Layout
from symmetry.culprit.numpy import handle, observed, reporting_to
from symmetry.culprit.place import is_user_code
from symmetry.culprit.start import Start
from symmetry.culprit.substitutes import substituted
from symmetry.targets.trainer import Run, Trainer

Floats = NDArray[np.floating[Any]]


def weights_layouts(hidden: int) -> tuple[Layout, Layout]:
    """Return where the hidden units are in w1 and in w2."""
    return Layout((Axis(1, 0, hidden),)), Layout((Axis(0, 1, hidden),))


def run(trainer: Trainer, start: Start) -> Iterator[tuple[Floats, Floats]]:
    """Train as ever, unobserved, and yield the weights after every step."""
    with seeded(trainer):
        step = trainer.start()
        yield from _steps(step, start)


def watch(
    trainer: Trainer, start: Start, observer: Observer, *, arrays: bool = True
) -> list[tuple[Floats, Floats]]:
    """Train while ``observer`` is told of every array operation; return the weights of all steps.

    Parameters
    ----------
    arrays
        Whether the step is handed NumPy arrays that report; otherwise only the operations of
        frameworks are seen.
    """
    known = [(), (), *((layout,) for layout in weights_layouts(start.hidden))]

    def observe(step: Callable[..., Any]) -> Callable[..., Any]:
        def observed_step(*given: Any) -> Any:
            *handed, lr = given
            observer.begin([handle(array) for array in handed], known)
            returned = step(*(map(observed, handed) if arrays else handed), lr)
            listed = returned if isinstance(returned, list | tuple) else ()
            observer.end([handle(a) for a in map(np.asarray, listed) if a.dtype.kind == "f"])
            return returned

        return observed_step

    with seeded(trainer), _observing(observer, _namespaces(trainer)):
        return list(_steps(Run(observe(trainer.start().step)), start))


def _steps(step: Run, start: Start) -> Iterator[tuple[Floats, Floats]]:
    w1, w2 = start.w1, start.w2
    for _ in range(start.iterations):
        result = step(start.x, start.y, w1, w2, start.lr)
        w1, w2 = result.w1, result.w2
        yield w1, w2


@contextmanager
def _observing(observer: Observer, namespaces: list[dict[str, Any]]) -> Iterator[None]:
    """Observe NumPy, and every framework that has been imported."""
    with ExitStack() as stack:
        stack.enter_context(reporting_to(observer))
        stack.enter_context(substituted(namespaces))
        if "torch" in sys.modules:
            from symmetry.culprit import torch

            stack.enter_context(torch.observing(observer))
        if "jax" in sys.modules:
            with suppress(ImportError):  # a release whose inside is not known
                from symmetry.culprit import jax

                stack.enter_context(jax.observing(observer))
        yield


def _namespaces(trainer: Trainer) -> list[dict[str, Any]]:
    """Return the globals of the user's code: of the step, and of every module that is no library.

    Those are where names imported from NumPy are, and random generators that a module keeps.
    """
    modules = [vars(m) for m in list(sys.modules.values()) if isinstance(m, ModuleType)]
    found = [known for known in modules if is_user_code(known.get("__file__") or "")]
    own = getattr(inspect.unwrap(trainer.target), "__globals__", None)
    return found if own is None or any(own is known for known in found) else [*found, own]


@contextmanager
def seeded(trainer: Trainer) -> Iterator[None]:
    """Start every run from the same random numbers, and leave no trace of having drawn some.

    Global generators get a seed; those that the user's modules keep are what they were.
    """
    kept = [(bits, bits.state) for space in _namespaces(trainer) for bits in _bits(space)]
    state, legacy = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")
    tensors = torch.get_rng_state() if torch else None
    if torch:
        torch.manual_seed(0)
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(legacy)
        if torch:
            torch.set_rng_state(tensors)
        for bits, before in kept:
            bits.state = before


def _bits(namespace: dict[str, Any]) -> Iterator[Any]:
    """Yield what draws the bits of the generators in a namespace."""
    for value in namespace.values():
        if isinstance(value, np.random.Generator):
            yield value.bit_generator
        elif isinstance(value, np.random.RandomState):
            yield value._bit_generator
