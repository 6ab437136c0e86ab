"""One thread for the matrix products of whatever a target uses.

How many threads share a product decides the order of its sums, so a verdict can depend on it. One
is also the quickest for small products: two threads spin for each other on a busy machine.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

from symmetry.base import libraries


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit every BLAS and OpenMP library that is loaded, and restore the numbers afterwards."""
    with ExitStack() as stack:
        for library in libraries.imported():
            if library.one_thread is not None:
                stack.callback(library.one_thread())
        stack.enter_context(threadpool_limits(limits=1))
        yield


def in_words() -> str:
    """Say what ``one_thread`` does, and what it cannot do, with the libraries loaded now."""
    text = "one BLAS and OpenMP thread: with more, sums may be taken in another order"
    return "; ".join((text, *(each.threads for each in libraries.imported() if each.threads)))
