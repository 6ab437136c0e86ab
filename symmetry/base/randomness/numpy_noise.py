"""The noise that code draws with NumPy: numbers with a fraction, not orders and indices.

with seeing_noise(see):
    numpy.random.normal(size=3)                     see(array of 3 numbers)
    numpy.random.default_rng(0).normal(size=3)      see(array of 3 numbers)
    numpy.random.permutation(3)                     not seen
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from symmetry.base.patches import patched

_SHARED = ["normal", "rand", "randn", "random", "random_sample", "standard_normal", "uniform"]
_OWN = ["normal", "random", "standard_normal", "uniform"]
See = Callable[[Any], None]


@contextmanager
def seeing_noise(see: See) -> Iterator[None]:
    """Call a function with each noise that is drawn while the block runs.

    These are the generators that ``default_rng`` makes in the block, and the shared one.
    """

    class Seen(np.random.Generator):
        """A generator whose noise is seen."""

    for name in _OWN:
        setattr(Seen, name, _seen(getattr(np.random.Generator, name), see))
    make = np.random.default_rng
    made = wraps(make)(lambda *args, **kwargs: Seen(make(*args, **kwargs).bit_generator))
    shared = [(np.random, name, _seen(getattr(np.random, name), see)) for name in _SHARED]
    with patched([*shared, (np.random, "default_rng", made)]):
        yield


def _seen(draw: Callable[..., Any], see: See) -> Callable[..., Any]:
    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        result = draw(*args, **kwargs)
        see(result)
        return result

    return drawn
