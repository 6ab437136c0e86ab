"""The roles of functions and of their results in the loop of a script.

params, opt, loss = step(params, opt, x, y)     a step: it differentiates, and is called with its
                                                own results. 0 is trained, 1 a part of the state
accuracy = evaluate(params, test)               an evaluation: it takes what is trained, and its
                                                results reach no step
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import jax
import numpy as np

from symmetry.jax.made import has_numbers
from symmetry.jax.script.epochs.calls import LoopCall, LoopEntry, Made, Variant
from symmetry.jax.script.epochs.facts import Facts, key_places

Known = TypeVar("Known")

Role = tuple[int, int]  # a function, by its id, and the number of a result


class Roles:
    """Reads the roles off the calls of a run.

    Parameters
    ----------
    log
        They are in it, in their order.
    """

    def __init__(self, log: Sequence[LoopEntry]) -> None:
        calls = (each for each in log if isinstance(each, LoopCall))
        self._facts: dict[int, Facts] = {}  # by the ids of variants
        self._known: dict[Hashable, Any] = {}  # answers that each of many calls needs
        self._calls: list[LoopCall] = []
        for call in calls:
            first = [*map(self._first, call.made, call.digests)]
            made, digests = tuple(m for m, _ in first), tuple(d for _, d in first)
            self._calls.append(replace(call, made=made, digests=digests))

    @property
    def calls(self) -> Sequence[LoopCall]:
        """The calls; an array that functions return unchanged is a result of its first maker."""
        return self._calls

    def _first(self, made: Made | None, digest: str) -> tuple[Made | None, str]:
        """Return where an array was made that functions may have returned as it was.

        An array that no function has made has the digest of the first argument.
        """
        if made is None:
            return None, digest
        maker = self._calls[made[0]]
        place = self.facts(maker.variant).passed.get(made[1])
        return (made, digest) if place is None else (maker.made[place], maker.digests[place])

    def facts(self, variant: Variant) -> Facts:
        """Return the facts on a variant."""
        if id(variant) not in self._facts:
            self._facts[id(variant)] = Facts(variant)
        return self._facts[id(variant)]

    def _once(self, key: Hashable, make: Callable[[], Known]) -> Known:
        """Return what a function returns, which is called once for each key."""
        if key not in self._known:
            self._known[key] = make()
        known: Known = self._known[key]
        return known

    @cached_property
    def steps(self) -> frozenset[int]:
        """The functions that differentiate, and are called with their own results, by their ids."""
        fed = {
            id(call.jitted)
            for call in self._calls
            if any(made and self._calls[made[0]].jitted is call.jitted for made in call.made)
        }
        kinds = {id(c.variant): c.variant for c in self._calls if id(c.jitted) in fed}
        return frozenset(id(v.jitted) for v in kinds.values() if self.facts(v).trained)

    def is_step(self, call: LoopCall) -> bool:
        """Return whether a call takes a step."""
        return id(call.jitted) in self.steps

    @cached_property
    def trained(self) -> frozenset[Role]:
        """The results that a step is given as what it differentiates with respect to."""
        return frozenset(
            self._role(made)
            for call in self._calls
            if self.is_step(call)
            for place in self.facts(call.variant).trained
            if (made := call.made[place]) is not None
        )

    def trained_by(self, variant: Variant) -> frozenset[int]:
        """Return the numbers of the results that a function trains."""
        return frozenset(n for function, n in self.trained if function == id(variant.jitted))

    @cached_property
    def state(self) -> frozenset[Role]:
        """The results that a step is given as other parts of its state."""
        return frozenset(
            self._role(made)
            for call in self._calls
            if self.is_step(call)
            for place in self.state_of(call.variant)
            if (made := call.made[place]) is not None
        )

    def state_of(self, variant: Variant) -> list[int]:
        """Return the arguments of a step that it does not train, and has returned in some call."""
        return self._once(
            ("state", id(variant)),
            lambda: sorted(self._own.get(variant.form, set()) - self.facts(variant).trained),
        )

    @cached_property
    def _own(self) -> dict[Hashable, set[int]]:
        """The arguments of each function that it has returned in some call."""
        found: dict[Hashable, set[int]] = {}
        for call in self._calls:
            found.setdefault(call.variant.form, set()).update(
                place
                for place, made in enumerate(call.made)
                if made is not None and self._calls[made[0]].jitted is call.jitted
            )
        return found

    def changing(self, variant: Variant) -> list[int]:
        """Return the arguments of a function that may be other arrays in some of its calls.

        A large array that no function has made has no digest: it may be another one.
        """

        def found() -> list[int]:
            calls = [call for call in self._calls if call.variant is variant]
            given = [[*zip(call.made, call.digests, strict=True)] for call in calls]
            return [
                n
                for n, each in enumerate(zip(*given, strict=True))
                if len({*each}) > 1 or each[0] == (None, "")
            ]

        return self._once(("changing", id(variant)), found)

    def places(self, call: LoopCall, roles: frozenset[Role]) -> list[int]:
        """Return the arguments of a call that are such results."""
        return [n for n, made in enumerate(call.made) if made and self._role(made) in roles]

    @cached_property
    def _models(self) -> dict[int, int]:
        """The model that is handed on by each call, by the call's number.

        A step that is given parameters of no known model begins another one.
        """
        found: dict[int, int] = {}
        for call in self._calls:
            makers, begins = self._makers(call), self.is_step(call)
            known = next((found[m] for m in makers if m in found), None)
            if known is None and begins:
                known = len({*found.values()})
                found.update(dict.fromkeys(makers, known))
            if known is not None:
                found[call.number] = known
        return found

    def _makers(self, call: LoopCall) -> list[int]:
        """Return the calls that made what a step trains, or what another function is given."""
        step = self.is_step(call)
        own = self.facts(call.variant).trained if step else range(len(call.made))
        return [made[0] for n in own if (made := call.made[n]) is not None]

    def model(self, call: LoopCall) -> int:
        """Return the number of the model that a call is given."""
        return self._models.get(call.number, 0)

    @cached_property
    def models(self) -> range:
        """The numbers of the models: one at least."""
        return range(max(self._models.values(), default=0) + 1)

    @cached_property
    def _carried(self) -> dict[Any, set[int]]:
        """The arguments of each function that are results of functions in some call."""
        found: dict[Any, set[int]] = {}
        for call in self._calls:
            made = (n for n, each in enumerate(call.made) if each is not None)
            found.setdefault(call.variant.form, set()).update(made)
        return found

    def data(self, call: LoopCall) -> dict[int, str]:
        """Return the digests of the arguments that are data, by their numbers.

        They are arrays with an axis that no function has made, and no keys.
        """
        return {number: call.digests[number] for number in self._data_of(call.variant)}

    def _data_of(self, variant: Variant) -> list[int]:
        """Return the numbers of the arguments that are data."""

        def found() -> list[int]:
            others = {*key_places(variant), *self._carried[variant.form]}
            leaves = enumerate(variant.leaves)
            arrays = (n for n, leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct))
            return [n for n in arrays if variant.leaves[n].shape and n not in others]

        return self._once(("data", id(variant)), found)

    def inputs(self, call: LoopCall) -> str:
        """Return the digest of the largest array of data: labels of a few samples may be equal."""
        largest = self._largest(call)
        return "" if largest is None else call.digests[largest]

    def input_shape(self, call: LoopCall) -> tuple[int, ...]:
        """Return the shape of the largest array of data; empty without any."""
        largest = self._largest(call)
        return () if largest is None else tuple(call.variant.leaves[largest].shape)

    @cached_property
    def step_shapes(self) -> frozenset[tuple[int, ...]]:
        """The shapes of the largest arrays of data that steps are given."""
        variants = {id(call.variant): call for call in self._calls if self.is_step(call)}
        return frozenset(map(self.input_shape, variants.values()))

    def _largest(self, call: LoopCall) -> int | None:
        leaves, data = call.variant.leaves, self._data_of(call.variant)
        return self._once(
            ("largest", id(call.variant)),
            lambda: max(data, key=lambda n: np.prod(leaves[n].shape), default=None),
        )

    def samples(self, call: LoopCall) -> int:
        """Return how many samples the data of a call have; 0 without any."""
        leaves = call.variant.leaves
        return max((leaves[n].shape[0] for n in self._data_of(call.variant)), default=0)

    @cached_property
    def _readers(self) -> dict[int, list[LoopCall]]:
        """The calls that are given results of a call, by the number of this."""
        found: dict[int, list[LoopCall]] = {}
        for call in self._calls:
            for number in {made[0] for made in call.made if made is not None}:
                found.setdefault(number, []).append(call)
        return found

    def hands_on(self, call: LoopCall, place: int) -> bool:
        """Return whether a later step is given a result of a call in the place of its own."""
        return any(
            self.is_step(reader) and place in self._same_state(reader, call)
            for reader in self._readers.get(call.number, ())
        )

    def _same_state(self, step: LoopCall, call: LoopCall) -> list[int]:
        """Return the arguments of a call whose shapes the state has that it gives to a step."""
        given = [
            step.variant.leaves[n].shape
            for n, made in enumerate(step.made)
            if made is not None and made[0] == call.number
        ]
        shapes = [getattr(leaf, "shape", None) for leaf in call.variant.leaves]
        return [n for n, shape in enumerate(shapes) if shape in given]

    def reaches_a_step(self, call: LoopCall, state: Sequence[int] = ()) -> bool:
        """Return whether a step depends on results of a call, beside arguments that are its state.

        Functions in between may hand them on.
        """
        shapes = [np.shape(call.variant.leaves[n]) for n in state]
        ahead, seen = [call], {call.number}
        while ahead:
            current = ahead.pop()
            for reader in self._readers.get(current.number, ()):
                made = [m[1] for m in reader.made if m is not None and m[0] == current.number]
                others = [n for n in made if current.variant.results[n] not in shapes]
                if not others and current is call:
                    continue
                if self.is_step(reader):
                    return True
                if reader.number not in seen:
                    seen.add(reader.number)
                    ahead.append(reader)
        return False

    def _role(self, made: Made) -> Role:
        return id(self._calls[made[0]].jitted), made[1]


def numbers_of(variant: Variant, places: Sequence[int]) -> int:
    """Return how many numbers some arguments have."""
    leaves = (variant.leaves[place] for place in places)
    return sum(int(np.prod(leaf.shape, dtype=int)) for leaf in leaves if has_numbers(leaf))
