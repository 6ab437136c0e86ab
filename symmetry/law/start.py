"""A start: the state that a target begins from. The law is written over starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, Self

from symmetry.base.randomness.unseeded import Unseeded
from symmetry.units.state import Array, State
from symmetry.units.units import Order, Units

Orders = list[tuple[Units, Order]]


class Start(Protocol):
    """A state, its equal units, and the states of runs from it.

    ``StepStart`` is the start of a two-layer step's case, ``TrainingStart`` the start of a training
    in one precision. Runs share nothing, and the arrays of a state are never written to.
    """

    @property
    def seed(self) -> int:
        """The seed of all random choices of a measurement."""

    @property
    def state(self) -> State:
        """The state before the first step."""

    @property
    def groups(self) -> Sequence[Units]:
        """The groups of equal units."""

    @property
    def result(self) -> Sequence[Mapping[str, Array]]:
        """The states after each step of a run from here, of those steps that are judged."""

    @property
    def limit(self) -> float:
        """How many times its response an array may deviate by rounding alone."""

    @property
    def attempts(self) -> int:
        """How many rearrangements must violate before one is reported."""

    @property
    def random(self) -> Sequence[tuple[str, str]]:
        """Names and places of the random operations that ``result`` leaves out."""

    @property
    def repeatability_hint(self) -> str:
        """A cure for runs that do not repeat themselves, as the end of a sentence."""

    def at(self, changed: State) -> Self:
        """Return the same start with some arrays of its state replaced."""

    def states(self, changed: State) -> Sequence[Mapping[str, Array]]:
        """Return the ``result`` of a run in which these arrays of the start are replaced."""

    def responses(self, *, closely: bool = False) -> Sequence[Mapping[str, float]]:
        """Return for each step the response of each array that can be judged.

        ``closely`` draws rounding more often, which takes more runs.
        """

    def glance(self) -> Sequence[Mapping[str, float]] | None:
        """Return the ``responses`` by the fewest runs, which may be smaller.

        None if there are none with fewer runs, or if nearly no array can be judged.
        """

    def orders(self, groups: Sequence[Units], *stream: int) -> Orders:
        """Return a rearrangement of groups, another one for each stream of the seed.

        It is empty where it would move nothing, because all units are equal.
        """

    @property
    def first_run(self) -> Iterable[State]:
        """The states of a run of the target as it is written."""

    @property
    def unseeded(self) -> Sequence[Unseeded]:
        """The lines of that run that make random generators without a seed."""

    def rerun(self, *, other_seeds: bool = False) -> Iterator[State]:
        """Yield the states of another such run; an array is valid until the next state comes.

        ``other_seeds`` gives other seeds to generators that are made without one.
        """

    def runs_from_other_starts(self) -> Iterator[Iterator[State]]:
        """Yield runs of the same target from other starts."""
