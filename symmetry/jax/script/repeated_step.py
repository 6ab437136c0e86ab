"""The step of a script: the jitted function that is called with its own results.

Example: ``step(params, opt, x, y, key)`` returned params and opt for its next call, so these are
the state. x and y differ from call to call: they are the batch. The keys do, too: they belong to
the number of the step, not to samples. A copy of params that stays, as a target network does, is
a part of the state, too: it has the units of params. One that the script moves outside of jitted
functions, as a soft update does, belongs to the number of the step: it is as it was recorded.

Functions that ``jax.pmap`` maps over one device are called without the axis of the devices.
Example: a script on one device, whose batch has one row.

    step = jax.pmap(update)
    params = step(params, x)        w of shape (1, 3, 4), x of shape (1, 8, 3)

The step of the training gets w of shape (3, 4) and x of shape (8, 3), as without ``pmap``: so its
samples, tokens and units are those of ``update``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.errors import NotCheckable, TrainingError
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.made import has_numbers, is_array
from symmetry.jax.script.calls import CALLS
from symmetry.jax.script.jitted import Jitted
from symmetry.jax.script.round import Made, RecordedCall, Round, makes_parameters, round_of


class OneDevice:
    """The calls of a step that is mapped over one device, as ``Jitted`` has those of any other.

    Parameters
    ----------
    step
        The function that is mapped, or a round of such functions.
    """

    def __init__(self, step: Jitted | Round) -> None:
        self._step = step
        self.name, self.tree, self.state = step.name, step.tree, step.state
        self._own = dict[int, tuple[Any, Any]]()  # by its id an array, and its only row
        leaves = range(len(step.first))
        self._static = step.constants_in(jax.tree.unflatten(step.tree, leaves))
        self.first = self._rows(step.first)
        self.given = [self._rows(leaves) for leaves in step.given]

    def constants_in(self, arguments: Mapping[str, Any]) -> frozenset[int]:
        """Return the leaves of the arguments that JAX compiles as constants."""
        return self._step.constants_in(arguments)

    def called(self, arguments: Mapping[str, Any], call: int | None = None) -> Any:
        """Call it with arguments by their names, each the only row of the script's."""
        leaves, tree = jax.tree.flatten(arguments)
        whole = [
            leaf if n in self._static else jax.tree.map(lambda row: row[None], leaf)
            for n, leaf in enumerate(leaves)
        ]
        returned = self._step.called(jax.tree.unflatten(tree, whole), call)
        return jax.tree.map(lambda result: result.squeeze(0), returned)

    def _rows(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the only row of each leaf; the same array for the same leaf."""
        return [
            leaf if leaf is None or n in self._static else self._row(leaf)
            for n, leaf in enumerate(leaves)
        ]

    def _row(self, leaf: Any) -> Any:
        if id(leaf) not in self._own:
            self._own[id(leaf)] = leaf, leaf[0]
        return self._own[id(leaf)][1]


Calls = Jitted | Round | OneDevice


def without_rows(step: Jitted | Round) -> Calls:
    """Return a step as it is without the axis of the devices, if there is only one."""
    functions = [call.jitted for call in step.calls] if isinstance(step, Round) else [step]
    if not all(isinstance(each, Jitted) and each.by_rows for each in functions):
        return step
    static = step.constants_in(jax.tree.unflatten(step.tree, range(len(step.first))))
    rows = (np.shape(leaf)[:1] for n, leaf in enumerate(step.first) if n not in static)
    return OneDevice(step) if all(shape == (1,) for shape in rows) else step


_WRITE = (
    "write the training as a function that returns (state, step), where step(state, i) returns the "
    "next state"
)
_NUMBER, _CALL = "number", "call"


@dataclass(frozen=True)
class RepeatedCall:
    """The call of the script that a step repeats; to JAX it is a leaf that is no number."""

    number: int
    step: RepeatedStep


def training_of(
    name: str, functions: Sequence[Jitted], log: Sequence[RecordedCall], meant: str
) -> tuple[Any, ...]:
    """Return the state, the step and the extras of a script whose functions were called so.

    ``log`` are all calls. If several functions take a step together, a round of them is the step.

    Raises
    ------
    NotCheckable
        If no function is its step, or several are.
    """
    steps = [each for each in functions if each.size]
    if not steps:
        raise NotCheckable(
            f"{name}: the outputs of no jitted function are its next inputs: jit the step that "
            f"returns the next state; or {_WRITE}{meant}"
        )
    step = _step_among(steps, log)
    found = _from_results(step, functions)
    if found or step.unsteady or step.is_varied:
        whole = round_of(step, log)
        if whole is not None:
            return RepeatedStep(name, without_rows(whole)).training()
        what = f"takes {found}" if found else "is not always called with its last results"
        raise NotCheckable(f"{name}: its step {step.name} {what}: {_WRITE}")
    return RepeatedStep(name, without_rows(step), log).training()


def lacks_gradients(functions: Sequence[Jitted], log: Sequence[RecordedCall]) -> bool:
    """Return whether a step does not differentiate, and another function may do that for it."""
    step = _step_among([each for each in functions if each.size] or functions, log)
    often = (2 * len(each.given) >= len(step.given) for each in functions if each is not step)
    return any(often) and not step.differentiates(jax.tree.unflatten(step.tree, step.first))


def _step_among(steps: Sequence[Jitted], log: Sequence[RecordedCall]) -> Jitted:
    """Return the largest of several functions; of those that make parameters, if there are some."""
    trained = [each for each in steps if len(steps) > 1 and makes_parameters(each, log)]
    return max(trained or steps, key=lambda each: each.size)


def _from_results(step: Jitted, functions: Sequence[Jitted]) -> str:
    """Name results that a step takes, and that depend on its state; empty without any."""
    takes = {each.name: set[str]().union(*each.takes.values()) for each in functions}
    for place, makers in step.takes.items():
        if place in step.state:
            continue
        for maker in sorted(makers, key=lambda name: (name == step.name, name)):
            if step.name in _behind(maker, takes):
                return "an earlier state" if maker == step.name else f"results of {maker}"
    return ""


def _copies_in(step: Calls) -> list[int]:
    """Return the leaves that are copies of its state, and that it is given as well."""
    mine = [step.first[place] for place in step.state]
    return [
        place
        for place, leaf in enumerate(step.first)
        if place not in step.state and _tells(leaf) and any(_equal(leaf, other) for other in mine)
    ]


def _behind(maker: str, takes: Mapping[str, Iterable[str]]) -> set[str]:
    """Return a function, and all whose results it was computed from."""
    found, new = set[str](), {maker}
    while new:
        found |= new
        new = {other for each in new for other in takes.get(each, ())} - found
    return found


def _tells(leaf: Any) -> bool:
    """Return whether an array is no other one by chance."""
    return is_array(leaf) and not is_key(leaf.dtype) and has_numbers(leaf) and _varies(leaf)


def _varies(leaf: Any) -> bool:
    return bool(np.ptp(np.asarray(leaf, "f8")) > 0) if np.size(leaf) > 1 else False


def _equal(leaf: Any, other: Any) -> bool:
    return np.shape(leaf) == np.shape(other) and bool(jnp.array_equal(leaf, other))


class RepeatedStep:
    """A jitted function as the step of a training.

    Parameters
    ----------
    name
        The name of the script.
    jitted
        The function, and its calls; or a round of functions.
    log
        All calls of the script, if one function is the step.

    Attributes
    ----------
    places
        The numbers of the arguments that are its state.
    frozen
        The names of what it reads from around it, and what is another one in later calls.
    """

    def __init__(self, name: str, jitted: Calls, log: Sequence[RecordedCall] = ()) -> None:
        self._name, self._jitted, self.log = name, jitted, log
        self._calls = [n for n, call in enumerate(log) if call.jitted is jitted]
        self.frozen = jitted.frozen if isinstance(jitted, Jitted) else ()
        copies, fixed = _copies_in(jitted), self._static()
        following = self._following(copies)
        self.places = sorted({*jitted.state, *copies}.difference(following))
        moving = [
            place
            for place in range(len(jitted.first))
            if place not in self.places and place not in fixed
            if self._moves(place) or _is_key(jitted.first[place])  # it may change in later epochs
        ]
        keys = [place for place in moving if _is_key(jitted.first[place])]
        numbered = [*keys, *following]
        self._batch = [place for place in moving if place not in numbered]
        self._by_number = {
            place: jnp.stack([jnp.asarray(call[place]) for call in jitted.given])
            for place in numbered
        }

    def makers(self, number: int) -> list[Made | None]:
        """Return the results of other calls that the leaves of a batch are."""
        if number >= len(self._calls):
            return []
        sources = self.log[self._calls[number]].sources
        return [sources[place] for place in self._batch] if sources else []

    def state_in(self, call: int) -> dict[int, tuple[int, int]]:
        """Return which arguments of another call are leaves of the state, and before which step."""
        found = {}
        own = self.log[call]
        for n, (leaf, made) in enumerate(zip(own.leaves, own.made, strict=True)):
            for number, place in enumerate(self.places):
                if made and made[0] in self._calls:
                    if self._jitted.state.get(place) == made[1]:
                        found[n] = self._calls.index(made[0]) + 1, number
                elif made is None and leaf is self._jitted.first[place]:
                    found[n] = 0, number
        return found

    def training(self) -> tuple[Any, Callable[[Any, Any], Any], dict[str, Any]]:
        """Return the state, the step and the extras."""
        return self._alone(self._state(self._jitted.first)), self._step, {"batch": self._given}

    def _following(self, copies: Sequence[int]) -> list[int]:
        """Return the leaves of arguments that hold copies of its state, where these move.

        A bias of zeros that moves with them is no copy for certain, and none of the batch.
        """
        every = range(len(self._jitted.first))
        arguments = jax.tree.unflatten(self._jitted.tree, every)
        owner = {leaf: name for name, part in arguments.items() for leaf in jax.tree.leaves(part)}
        names = {owner[place] for place in copies if self._moves(place)}
        mine = (n for n in every if owner.get(n) in names and n not in self._jitted.state)
        return [n for n in mine if not _is_key(self._jitted.first[n]) and self._moves(n)]

    def _static(self) -> frozenset[int]:
        """Return the leaves that are compiled as constants.

        Raises
        ------
        NotCheckable
            If one of them differs between calls.
        """
        leaves = range(len(self._jitted.first))
        static = self._jitted.constants_in(jax.tree.unflatten(self._jitted.tree, leaves))
        if any(self._moves(place) for place in static):
            raise NotCheckable(
                f"{self._name}: static arguments of its step {self._jitted.name} change: {_WRITE}"
            )
        return static

    def _moves(self, place: int) -> bool:
        """Return whether a leaf is another object in some call."""
        first, *others = (call[place] for call in self._jitted.given)
        return any(other is not first and not _same(other, first) for other in others)

    def _given(self, number: int) -> dict[str, Any]:
        """Return the batch of a step, and its number.

        Raises
        ------
        TrainingError
            If the script has taken fewer steps.
        """
        taken = len(self._jitted.given)
        if number >= taken:
            more = "" if taken == CALLS else ", give it more to do"
            raise TrainingError(
                f"{self._name}: {taken} of its steps were recorded: a check takes more{more}"
            )
        call = self._jitted.given[number]
        leaves = {place: call[place] for place in self._batch}
        return {
            "batch": self._tree(leaves),
            _NUMBER: np.int32(number),
            _CALL: RepeatedCall(number, self),
        }

    def _step(self, state: Any, given: Mapping[str, Any]) -> tuple[Any, Any]:
        """Call the function; return the next state, and the rest of its result."""
        own = dict(zip(self.places, jax.tree.leaves(state), strict=True))
        leaves = [*self._jitted.first]
        for numbers, values in (
            (own.keys(), own.values()),
            (self._batch, jax.tree.leaves(given["batch"])),
            (
                self._by_number.keys(),
                [values[given[_NUMBER]] for values in self._by_number.values()],
            ),
        ):
            for place, value in zip(numbers, values, strict=True):
                leaves[place] = value
        arguments: dict[str, Any] = jax.tree.unflatten(self._jitted.tree, leaves)
        returned = self._jitted.called(arguments, given[_CALL].number)
        results, tree = jax.tree.flatten(returned)
        fed = {*self._jitted.state.values()}
        rest = [None if place in fed else result for place, result in enumerate(results)]
        after = own | {place: results[n] for place, n in self._jitted.state.items()}
        return self._alone(self._tree(after)), jax.tree.unflatten(tree, rest)

    def _state(self, leaves: Sequence[Any]) -> Any:
        return self._tree({place: leaves[place] for place in self.places})

    def _tree(self, leaves: Mapping[int, Any]) -> Any:
        """Return the arguments with these leaves alone."""
        every = range(len(self._jitted.first))
        return jax.tree.unflatten(self._jitted.tree, [leaves.get(place) for place in every])

    @staticmethod
    def _alone(state: dict[str, Any]) -> Any:
        """Return the only argument with leaves, without its name; or all of them."""
        filled = {name: value for name, value in state.items() if jax.tree.leaves(value)}
        return next(iter(filled.values())) if len(filled) == 1 else filled


def _is_key(leaf: Any) -> bool:
    """Return whether a leaf is a key of random numbers, of the new kind or of the old one."""
    if not is_array(leaf):
        return False
    return is_key(leaf.dtype) or (leaf.dtype == np.uint32 and leaf.shape == (2,))


def _same(leaf: Any, other: Any) -> bool:
    """Return whether two leaves are the same small thing: a number, a name, a short array."""
    if is_array(leaf) and is_array(other):
        if np.size(leaf) > 1 or is_key(leaf.dtype):
            return False
        return bool(np.array_equal(np.asarray(leaf), np.asarray(other)))
    return bool(leaf == other)
