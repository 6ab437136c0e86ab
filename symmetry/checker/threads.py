"""One thread for the matrix products of whatever a target uses.

How many threads share a product decides the order of its sums, so a verdict can depend on it. One
is also the quickest for small products: two threads spin for each other on a busy machine.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

from symmetry.base import libraries

_THREADS = "OMP_NUM_THREADS"


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit every BLAS and OpenMP library, and restore the numbers of those that are loaded."""
    with ExitStack() as stack:
        # Libraries that a target loads read it, and then have no threads that a fork would lack.
        stack.callback(_set_variable, os.environ.get(_THREADS))
        _set_variable("1")
        for library in libraries.imported():
            if library.one_thread is not None:
                stack.callback(library.one_thread())
        stack.enter_context(threadpool_limits(limits=1))
        yield


def _set_variable(value: str | None) -> None:
    """Set the number for libraries that are loaded later; other variables are the target's."""
    if value is None:
        os.environ.pop(_THREADS, None)
    else:
        os.environ[_THREADS] = value


def in_words() -> str:
    """Say what ``one_thread`` does, and what it cannot do, with the libraries loaded now."""
    text = "one BLAS and OpenMP thread: with more, sums may be taken in another order"
    return "; ".join((text, *(each.threads for each in libraries.imported() if each.threads)))
