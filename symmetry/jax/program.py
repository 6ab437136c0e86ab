"""The program of a training: its state as leaves, and its step as a jaxpr."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.marks import marking
from symmetry.jax.jaxprs.step import TracedStep
from symmetry.jax.made import Made, has_numbers, is_array, is_number
from symmetry.jax.names import Path, names_of, path_of

# What JAX raises where a traced number is to be a plain one.
_NOT_PLAIN = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.TracerArrayConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


class Program:
    """The state and the step of a training as its function made them.

    The step is traced once, as a function of its number or of its batch. If it needs the plain
    number, as an index into NumPy's arrays, each step is traced by itself.

    Attributes
    ----------
    made
        What the function returned.
    start
        The leaves of the state before the first step that are arrays or numbers.
    paths
        Their paths in the state.
    """

    def __init__(self, name: str, made: Made) -> None:
        self.name, self.made = name, made
        keyed, self._tree = jax.tree_util.tree_flatten_with_path(made.state)
        self._values = [value for _, value in keyed]
        self._places = [n for n, value in enumerate(self._values) if is_number(value)]
        self.paths: list[Path] = [path_of(keyed[n][0]) for n in self._places]
        self.start = [as_leaf(self._values[n]) for n in self._places]
        self._by_number = False
        self._wide = jax.config.jax_enable_x64  # as the user has set it
        self._traced: dict[Any, TracedStep] = {}
        self._batches: list[Any] = []

    def given(self, step: int) -> Any:
        """Return what a step is called with: its number, or its batch."""
        if self.made.batch is None:
            return np.int32(step)
        while len(self._batches) <= step:  # in order, as an iterator needs it
            with jax.enable_x64(self._wide):
                self._batches.append(self.made.batch(len(self._batches)))
        return self._batches[step]

    def traced(self, step: int) -> TracedStep:
        """Return a step as a jaxpr."""
        given = self.given(step)
        if not self._by_number:
            kind = tuple((leaf.shape, str(leaf.dtype)) for leaf in self.inputs(given))
            try:
                return self._known(kind, given)
            except _NOT_PLAIN:
                self._by_number = True
        return self._known(step, given)

    def _known(self, key: Any, given: Any) -> TracedStep:
        if key not in self._traced:
            with jax.enable_x64(self._wide):
                self._traced[key] = self._trace(given)
        return self._traced[key]

    def inputs(self, given: Any) -> list[Any]:
        """Return the inputs of a traced step beside the leaves of the state."""
        leaves = [] if self._by_number else jax.tree.leaves(given)
        with jax.enable_x64(self._wide):
            return [as_leaf(leaf) for leaf in leaves if is_number(leaf)]

    @cached_property
    def names(self) -> list[str]:
        """The names of the leaves."""
        step = self.traced(0)
        shapes = [np.shape(leaf) for leaf in self.start]
        own = [
            number
            for number in step.forward
            if not is_key(self.start[number].dtype) and has_numbers(self.start[number])
        ]
        return names_of(self.paths, shapes, step.parameters, step.read, own)

    def _trace(self, given: Any) -> TracedStep:
        leaves, tree = jax.tree.flatten(given)
        inputs = self.inputs(given)
        places = [n for n, leaf in enumerate(leaves) if is_number(leaf)][: len(inputs)]
        if self._by_number and self.made.batch is None:
            leaves = [int(given)]
        returned: list[int | None] = []

        def run(state: Sequence[Any], inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            own = dict(enumerate(leaves)) | dict(zip(places, inputs, strict=True))
            after, aux = self.call(state, jax.tree.unflatten(tree, own.values()))
            found = jax.tree_util.tree_flatten_with_path(aux)[0]
            kept = [(path_of(keys), value) for keys, value in found if is_number(value)]
            returned.append(_loss_among(kept))
            return after, [value for _, value in kept]

        with marking():
            jaxpr = jax.make_jaxpr(run)(self.start, inputs)
        return TracedStep(jaxpr, len(self.start), returned[-1], wide=self._wide)

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
        returned = self.made.step(jax.tree.unflatten(self._tree, values), given)
        aux = None
        if jax.tree.structure(returned) != self._tree:
            pair = isinstance(returned, tuple) and len(returned) == 2
            after, aux = returned if pair else (returned, None)
            if jax.tree.structure(after) != self._tree:
                raise TrainingError(
                    f"{self.name}: the step returns another tree than the state that it is given: "
                    "it has to return the next state, or (state, loss)"
                )
            returned = after
        leaves = jax.tree.leaves(returned)
        return [leaves[place] for place in self._places], aux


def as_leaf(value: Any) -> Any:
    """Return an array of NumPy, and keys as they are.

    JAX compiles a step anew for numbers without a dtype of their own.
    """
    if is_array(value) and is_key(value.dtype):
        return value
    return np.asarray(jnp.asarray(value))


def _loss_among(values: Sequence[tuple[Path, Any]]) -> int | None:
    """Return which of the values is the loss: the one called so, or else the first number."""
    scalars = [
        (number, ".".join(path))
        for number, (path, value) in enumerate(values)
        if jnp.shape(value) == () and jnp.issubdtype(jnp.result_type(value), jnp.floating)
    ]
    named = [number for number, name in scalars if "loss" in name]
    return next(iter([*named, *(number for number, _ in scalars)]), None)
