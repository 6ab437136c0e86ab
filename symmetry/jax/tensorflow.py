"""TensorFlow as a library: scripts in JAX load their data with ``tf.data``.

A shuffle without a seed gets one from a generator that all operations share. In a run it is seeded,
so that runs are the same; the answer says that the script does not seed it. Importing this module
does not import TensorFlow.
"""

from __future__ import annotations

import sys
from typing import Any

from symmetry.base.libraries import Library


def _random() -> Any:
    return sys.modules["tensorflow"].random


def _context() -> Any:
    return sys.modules["tensorflow.python.eager.context"].context()


class _Operations:
    """The generator of the seeds of operations, which ``tf.random.set_seed`` makes anew.

    TensorFlow has no function that returns it: ``tensorflow/python/eager/context.py``.
    """

    def getstate(self) -> Any:
        """Return what ``setstate`` goes on with."""
        generator = getattr(_context(), "_rng", None)
        return None if generator is None else generator.getstate()

    def setstate(self, state: Any) -> None:
        """Go on with what ``getstate`` has returned."""
        if state is not None:
            if getattr(_context(), "_rng", None) is None:
                _seed(0)
            _context()._rng.setstate(state)


def _seed(seed: int) -> None:
    _random().set_seed(seed)


def _is_whole() -> bool:
    """Return whether it is more than the few modules that other packages look for."""
    return hasattr(sys.modules.get("tensorflow"), "random")


TENSORFLOW = Library(
    imports=("tensorflow",),
    title="TensorFlow",
    packages=frozenset({"tensorflow"}),
    generators=lambda: [_Operations()] if _is_whole() else [],
    seed=lambda seed: _seed(seed) if _is_whole() else None,
    seeders=lambda: [(_random(), "set_seed")] if _is_whole() else [],
)
