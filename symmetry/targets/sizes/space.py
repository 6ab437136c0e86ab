"""The arguments that a family of trainings may have: examples, and smaller or larger ones.

Hypothesis draws all of them. Draws seldom hit the sizes at which code breaks, so half of the values
of an example are edges, chosen from many draws of one argument: the smallest and the largest, 2,
primes, and multiples of 8 with their neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain, zip_longest
from operator import eq
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.strategies import SearchStrategy

from symmetry.base.errors import SymmetryError
from symmetry.base.raised import in_one_line
from symmetry.base.randomness.random import Random
from symmetry.checker.draws import draw, sizes_below
from symmetry.targets.sizes.arguments import Arguments, is_number, refuse_unprintable, spell, text

_MANY = 200  # draws of one argument
_FEW = 100  # with fewer different values in these draws there are no others
_ALL = 12  # a size is replaced by each of these few smaller values
_RATES = (1.0, 0.1, 0.01, 0.001)  # the simplest ones
_SIMPLER = 4  # floats that are tried instead of another
_NEXT = (1, 2, 3)
_DIVISOR = 8  # of sizes that kernels like


@dataclass(frozen=True)
class Space:
    """The strategies of some arguments, by name, and the seed of what they draw."""

    strategies: Mapping[str, SearchStrategy[Any]]
    seed: int = 0
    _possible: dict[tuple[str, Any], bool] = field(default_factory=dict, compare=False, repr=False)

    def examples(self, count: int) -> tuple[Arguments, ...]:
        """Return at most ``count`` sets of arguments: a usual one, the smallest, and others.

        Raises
        ------
        SymmetryError
            If a strategy draws nothing, or what cannot be typed.
        """
        found: dict[str, Arguments] = {}
        for arguments in (self._usual(), self.smallest, *self._others(count)):
            found.setdefault(spell(arguments), arguments)
        return tuple(found.values())[:count]

    @property
    def smallest(self) -> Arguments:
        """The smallest value of each argument; for words the first one that was drawn."""
        return {name: values[0] for name, values in self.values.items()}

    @cached_property
    def values(self) -> Mapping[str, Sequence[Any]]:
        """Many values of each argument, numbers in their order."""
        return {name: self._drawn(name) for name in self.strategies}

    def smaller(self, name: str, value: Any) -> tuple[Any, ...]:
        """Return what to try instead of a value of an argument, the simplest first."""
        values = self.values[name]
        if isinstance(value, float) and is_number(value):
            rates = [rate for rate in _RATES if self._may_be(name, rate)]
            simpler = sorted({*filter(is_number, values), *rates}, key=_complexity)
            return tuple(v for v in simpler if _complexity(v) < _complexity(value))[:_SIMPLER]
        if not is_number(value):
            return () if value == values[0] else (values[0],)
        below = [v for v in values if is_number(v) and v < value]
        tries = {size for size in sizes_below(value) if self._may_be(name, size)}
        return tuple(sorted(tries.union(below if len(below) <= _ALL else ())))

    def larger(self, name: str, value: Any) -> tuple[Any, ...]:
        """Return the next larger values of an argument, and the largest; for words another one."""
        values = self.values[name]
        if not is_number(value):
            return tuple(v for v in values if v != value)[:1]
        above = [v for v in values if is_number(v) and v > value]
        near = [value + more for more in _NEXT] if isinstance(value, int) else []
        return tuple(
            dict.fromkeys([*(v for v in near if self._may_be(name, v)), *above[:1], *above[-1:]])
        )

    def with_sizes(self, sizes: Sequence[int]) -> Iterator[Arguments]:
        """Yield the usual arguments, one of them with one of these sizes."""
        for name, value in self._usual().items():
            for size in sizes if type(value) is int else ():
                if self._may_be(name, size):
                    yield {**self._usual(), name: size}

    def spans(self, tried: Sequence[Arguments]) -> tuple[str, ...]:
        """Return the values of each argument in words: ``hidden 1 to 64``."""
        found = []
        for name in self.strategies:
            values = list(dict.fromkeys(arguments[name] for arguments in tried))
            few = len(values) <= 3 or not all(map(is_number, values))
            words = ", ".join(map(text, values)) if few else f"{min(values)} to {max(values)}"
            found.append(f"{name} {words}")
        return tuple(found) if tried else ()

    def _usual(self) -> Arguments:
        """Return the middle of each argument: a size at which most invariants have a witness."""
        return {
            name: values[len(values) // 2 if is_number(values[0]) else 0]
            for name, values in self.values.items()
        }

    def _others(self, count: int) -> Iterator[Arguments]:
        """Yield draws of all arguments, half of whose values are edges; then the draws alone."""
        edges = {name: self._edges(name, number) for number, name in enumerate(self.strategies)}
        drawn = draw(st.fixed_dictionaries(dict(self.strategies)), 2 * count, self.seed)
        for number, arguments in enumerate(drawn):
            mixed = {}
            for place, name in enumerate(self.strategies):
                turn, odd = divmod(number + place, 2)
                mixed[name] = arguments[name] if odd else edges[name][turn % len(edges[name])]
            yield self._typed(mixed)
        yield from (
            {name: each[name] for name in self.strategies} for each in map(self._typed, drawn)
        )

    def _edges(self, name: str, stream: int) -> Sequence[Any]:
        """Return the edges of an argument, one of each kind in turn."""
        values = self.values[name]
        random = Random(self.seed, stream)
        mixed = [values[k] for k in random.permutation(len(values))]
        if not all(isinstance(value, int) for value in values):
            return list(dict.fromkeys([values[-1], values[0], *mixed]))
        kinds = (
            [values[-1]],
            [v for v in mixed if v > 2 and _is_prime(v)],
            [values[0]],
            [v for v in mixed if v and not v % _DIVISOR],
            [v for v in mixed if v > 1 and v % _DIVISOR in (1, _DIVISOR - 1)],
            [v for v in values if v == 2],
        )
        turns = chain.from_iterable(zip_longest(*kinds))
        return list(dict.fromkeys(v for v in turns if v is not None))

    def _drawn(self, name: str) -> Sequence[Any]:
        try:
            drawn = draw(self.strategies[name], _MANY, self.seed)
        except HypothesisException as error:
            raise SymmetryError(f"{name} draws nothing: {in_one_line(error)}") from error
        values = list({text(value): value for value in drawn}.values())
        self._typed({name: values[0]})
        return sorted(values) if all(map(is_number, values)) else values

    def _typed(self, arguments: Arguments) -> Arguments:
        for name, value in arguments.items():
            refuse_unprintable(name, value)
        return arguments

    def _may_be(self, name: str, value: Any) -> bool:
        """Return whether an argument may have this value; each is tried once."""
        if value in self.values[name] or len(self.values[name]) <= _FEW:
            return value in self.values[name]  # few values are all that there are
        if (name, value) not in self._possible:
            try:
                draw(self.strategies[name].filter(partial(eq, value)), 1, self.seed)
            except HypothesisException:
                self._possible[name, value] = False
            else:
                self._possible[name, value] = True
        return self._possible[name, value]


def _complexity(value: float) -> tuple[int, float]:
    """Return a key that puts 1.0, 0.1 and 0.01 before numbers of many digits."""
    return len(text(value)), abs(math.log10(abs(value))) if value else math.inf


def _is_prime(value: int) -> bool:
    return value > 1 and all(value % divisor for divisor in range(2, math.isqrt(value) + 1))
