"""The states of the shared random generators, as one run has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from symmetry.base import generators


class RandomStates:
    """The states of all shared random generators between two steps of a run.

    Attributes
    ----------
    states
        One for each of ``generators.shared()``.
    """

    def __init__(self, states: Any) -> None:
        self.states = states

    @contextmanager
    def own(self) -> Iterator[None]:
        """Continue with this run's random numbers; afterwards with those outside."""
        with generators.kept(generators.shared()):
            generators.set_states(generators.shared(), self.states)
            try:
                yield
            finally:
                self.states = generators.states_of(generators.shared())

    def reseed(self, seed: int) -> None:
        """Continue with the random numbers of a seed."""
        with generators.kept(generators.shared()):
            generators.seed_all(seed)
            self.states = generators.states_of(generators.shared())
