"""Random generators that all code shares: of Python, NumPy and further libraries; their states."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from symmetry.base import libraries
from symmetry.base.randomness.unseeded import SEEDS, Unseeded, giving_seeds


def shared() -> list[Any]:
    """Return the generators that all code shares, of the libraries that are imported."""
    further = (generator for each in libraries.imported() for generator in each.generators())
    return [SEEDS, random, np.random, *further]


def seed_all(seed: int) -> None:
    """Seed the generators that all code shares."""
    SEEDS.seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    for library in libraries.imported():
        library.seed(seed)


def states_of(generators: Iterable[Any]) -> list[Any]:
    """Return what ``set_states`` takes."""

    def state_of(generator: Any) -> Any:
        if isinstance(generator, np.random.Generator):
            return generator.bit_generator.state
        return generator.getstate() if hasattr(generator, "getstate") else generator.get_state()

    return [state_of(generator) for generator in generators]


def set_states(generators: Iterable[Any], states: Iterable[Any]) -> None:
    """Put generators back into their states; a CUDA generator that is younger has none."""
    for generator, state in zip(generators, states, strict=False):
        if isinstance(generator, np.random.Generator):
            generator.bit_generator.state = state
        elif hasattr(generator, "setstate"):
            generator.setstate(state)
        else:
            generator.set_state(state)


@contextmanager
def kept(generators: list[Any]) -> Iterator[None]:
    """Leave generators as they were, whatever is drawn inside."""
    states = states_of(generators)
    try:
        yield
    finally:
        set_states(generators, states)


class RandomStates:
    """The states of all shared random generators between two steps of a run."""

    def __init__(self, states: Any) -> None:
        self.states = states  # one for each of ``shared()``

    @contextmanager
    def own(self) -> Iterator[None]:
        """Continue with this run's random numbers; afterwards with those outside."""
        with kept(shared()), giving_seeds():
            set_states(shared(), self.states)
            try:
                yield
            finally:
                self.states = states_of(shared())

    @property
    def unseeded(self) -> tuple[Unseeded, ...]:
        """The lines of this run that make random generators without a seed."""
        with kept([SEEDS]):
            SEEDS.setstate(self.states[0])
            return SEEDS.lines

    def reseed(self, seed: int) -> None:
        """Continue with the random numbers of a seed."""
        with kept(shared()):
            seed_all(seed)
            self.states = states_of(shared())
