"""The step of the user, as a function of the leaves of the state.

    UserStep        the function of the user, called with leaves and returning leaves
      TracedStep    its jaxpr, in which losses and gradients are marked
        Program     all steps of a training, each traced when it is first asked for
          Stepper   one run: its leaves, the inputs of each step, and the use of the outputs

A script hands over no function: ``script/repeated_step.py`` finds the jitted one that gets
its own results, and makes a function of the state and the number of the step of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.made import MadeTraining, is_array, is_number
from symmetry.jax.names import Path, keyed_leaves

_PLAIN = int | float | complex  # a boolean is an int


class UserStep:
    """The step of the user, and the leaves that it takes and returns.

    Parameters
    ----------
    name, made
        The training's name, for messages, and the result of its function.
    plain
        The numbers of the leaves of the state that stay the plain numbers that they are.

    Attributes
    ----------
    made
        The result of the training's function.
    start
        The leaves of the state before the first step that are arrays or numbers.
    paths
        Their paths in the state.
    kept
        Which plain numbers the last call has returned as they are.
    """

    def __init__(self, name: str, made: MadeTraining, plain: Collection[int] = ()) -> None:
        self.made, self._name, self._plain = made, name, frozenset(plain)
        self.kept: frozenset[int] = frozenset()
        keyed, self._tree = keyed_leaves(made.state), jax.tree.structure(made.state)
        self._values = [value for _, value in keyed]
        numbers = [n for n, value in enumerate(self._values) if is_number(value)]
        self._places = [n for n in numbers if n not in self._plain]
        self.paths: list[Path] = [keyed[n][0] for n in self._places]
        self.start = [as_leaf(self._values[n]) for n in self._places]

    @property
    def plain_numbers(self) -> frozenset[int]:
        """Which leaves of the state are plain numbers, as the sizes of layers in Equinox are."""
        return frozenset(n for n, v in enumerate(self._values) if isinstance(v, _PLAIN))

    def call(self, state: Sequence[Any], given: Any) -> tuple[list[Any], Any]:
        """Call the step of the user; return the next leaves, and the rest of its results.

        Raises
        ------
        TrainingError
            If it returns something else than the next state.
        """
        values = list(self._values)
        for place, leaf in zip(self._places, state, strict=True):
            values[place] = leaf
        given_state = jax.tree.unflatten(self._tree, values)
        returned = self.made.step(given_state, given)
        pair = isinstance(returned, tuple) and len(returned) == 2
        for after, beside in ((returned, None), *([returned] if pair else [])):
            if jax.tree.structure(after) == self._tree:
                return self._leaves_of(after), beside
        after = self._leaves_of(given_state)
        if all(one is other for one, other in zip(after, state, strict=True)):
            raise TrainingError(
                f"{self._name}: the step returns another tree than the state that it is given: "
                "it has to return the next state, or (state, loss)"
            )
        return after, returned  # it has changed the objects of the state

    def _leaves_of(self, state: Any) -> list[Any]:
        leaves = jax.tree.leaves(state)
        pairs = {n: (leaves[n], self._values[n]) for n in self._plain}
        self.kept = frozenset(n for n, (a, b) in pairs.items() if type(a) is type(b) and a == b)
        return [leaves[place] for place in self._places]


def as_leaf(value: Any) -> Any:
    """Return an array of NumPy, and keys as they are.

    JAX compiles a step anew for numbers without a dtype of their own.
    """
    if is_array(value) and is_key(value.dtype):
        return value
    return np.asarray(jnp.asarray(value))


def numbers_in(beside: Any) -> list[tuple[Path, Any]]:
    """Return the numbers among what a step returns beside the state, with their paths."""
    return [(path, value) for path, value in keyed_leaves(beside) if is_number(value)]


def loss_among(values: Sequence[tuple[Path, Any]]) -> int | None:
    """Return which of the values is the loss: the one called so, or else the first number."""
    scalars = [
        (number, ".".join(path))
        for number, (path, value) in enumerate(values)
        if jnp.shape(value) == () and jnp.issubdtype(jnp.result_type(value), jnp.floating)
    ]
    named = [number for number, name in scalars if "loss" in name]
    return next(iter([*named, *(number for number, _ in scalars)]), None)
