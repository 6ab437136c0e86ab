"""The program of a training: its state as leaves, and its steps as jaxprs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from symmetry.base.errors import TrainingError
from symmetry.base.randomness.generators import RandomStates
from symmetry.jax.jaxprs.behind import parameters_behind
from symmetry.jax.jaxprs.custom import watching
from symmetry.jax.jaxprs.graph import Graph
from symmetry.jax.jaxprs.interpreter import is_key, widened
from symmetry.jax.jaxprs.marks import marking
from symmetry.jax.jaxprs.one_device import on_one_device
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.step import TracedStep
from symmetry.jax.made import has_numbers, is_number
from symmetry.jax.names import names_of
from symmetry.jax.user_step import UserStep, as_leaf, loss_among, numbers_in

# Errors of JAX where a traced number has to be a plain one.
NOT_PLAIN = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.TracerArrayConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


class Program:
    """The steps of a training as its function made them, each traced when it is first asked for.

    A step is traced as a function of its number or of its batch, once for all steps. If it needs
    the plain number, as an index into NumPy's arrays, or if it draws data of its own, each step is
    traced by itself. A function that ``jax.jit`` has traced in one step stays so in others, as in
    the training itself; with ``anew`` each step is traced as if there was no ``jax.jit``.

    Parameters
    ----------
    name, user_step
        The training's name, for messages, and its step.
    random_states
        The random numbers of all but JAX.
    known
        The steps that other programs of the training have traced: the same are compiled once.
    by_number
        Whether each step is traced by itself.
    anew
        Whether each step is traced by itself, and all functions that it calls.
    """

    def __init__(
        self,
        name: str,
        user_step: UserStep,
        random_states: RandomStates,
        known: list[TracedStep],
        *,
        by_number: bool = False,
        anew: bool = False,
    ) -> None:
        self.name, self.user_step, self.made = name, user_step, user_step.made
        self.start, self.by_number, self._anew = user_step.start, by_number, anew
        self.random_states, self._known = random_states, known
        self._tracing = None if anew else object()
        self._wide = jax.config.jax_enable_x64  # as the user has set it
        self._traced: dict[Any, tuple[TracedStep, list[Any]]] = {}
        self._batches: list[Any] = []

    def given(self, step: int) -> Any:
        """Return the argument of a step: its number, or its batch."""
        if self.made.batch is None:
            return np.int32(step)
        while len(self._batches) <= step:  # in order, as an iterator needs it
            with self.random_states.own(), jax.enable_x64(self._wide):
                self._batches.append(self.made.batch(len(self._batches)))
        return self._batches[step]

    def traced(self, step: int) -> TracedStep:
        """Return a step as a jaxpr."""
        return self._at(step)[0]

    def inputs(self, step: int, given: Any) -> list[Any]:
        """Return the inputs of a traced step, beside the leaves of the state.

        They are what it is given, and the constants that it holds.
        """
        _, constants = self._at(step)
        return [*self._arrays(given), *constants]

    def retraced(self) -> tuple[TracedStep, list[Any]]:
        """Return the first step and its constants, traced once more."""
        return self._trace(self.given(0), 0)

    @property
    def trains_in_loop(self) -> bool:
        """Whether its first step computes gradients in a loop alone whose rounds update."""
        try:
            step = self.traced(0)
        except NOT_PLAIN:
            return False
        return step.trains_in_loop

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
        behind = parameters_behind(step)
        return names_of(self.user_step.paths, shapes, step.parameters, step.read, own, behind)

    def _at(self, step: int) -> tuple[TracedStep, list[Any]]:
        given = self.given(step)
        if not self.by_number:
            kind = tuple((leaf.shape, str(leaf.dtype)) for leaf in self._arrays(given))
            try:
                return self._remembered((kind, step if self._anew else None), given, step)
            except NOT_PLAIN:
                self.by_number = True
        return self._remembered(step, given, step)

    def _remembered(self, key: Any, given: Any, step: int) -> tuple[TracedStep, list[Any]]:
        if key not in self._traced:
            traced, constants = self._trace(given, step)
            same = next((other for other in self._known if other.is_same(traced)), None)
            if same is None:
                self._known.append(traced)
            self._traced[key] = same or traced, constants
        return self._traced[key]

    def _arrays(self, given: Any) -> list[Any]:
        """Return the arrays that a traced step is given."""
        leaves = [] if self.by_number else jax.tree.leaves(given)
        with jax.enable_x64(self._wide):
            return [as_leaf(leaf) for leaf in leaves if is_number(leaf)]

    def _trace(self, given: Any, step: int) -> tuple[TracedStep, list[Any]]:
        """Trace a step; return it with its constants, which are its last inputs."""
        leaves, tree = jax.tree.flatten(given)
        arrays = self._arrays(given)
        places = [n for n, leaf in enumerate(leaves) if is_number(leaf)][: len(arrays)]
        if self.by_number and self.made.batch is None:
            leaves = [step]
        returned: list[int | None] = []

        def run(state: Sequence[Any], arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            own = dict(enumerate(leaves)) | dict(zip(places, arrays, strict=True))
            after, beside = self.user_step.call(state, jax.tree.unflatten(tree, own.values()))
            numbers = numbers_in(beside)
            returned.append(loss_among(numbers))
            return after, [value for _, value in numbers]

        random, marks = self.random_states.own(), marking(self._tracing)
        with random, jax.enable_x64(self._wide), marks, watching() as custom:
            closed = jax.make_jaxpr(run)(self.start, arrays)
        if self._widen_start(closed.out_avals):
            return self._trace(given, step)
        _refuse_leaks(closed)
        with jax.enable_x64(self._wide):
            jaxpr = on_one_device(_with_constants_last(closed))
        varying = len(closed.in_avals)

        def in_float64() -> ClosedJaxpr | None:
            return None if self.by_number or self._wide else self._in_float64(run, arrays)

        traced = TracedStep(
            *(jaxpr, len(self.start), returned[-1]),
            varying=varying,
            wide=self._wide,
            in_float64=in_float64,
        )
        traced.custom = tuple(custom)
        return traced, [*closed.consts, *traced.constants]

    def _widen_start(self, after: Sequence[Any]) -> bool:
        """Let leaves begin in the dtype that a step gives them; return whether any was another one.

        A whole number that becomes a float in the first step is a float from then on.
        """
        pairs = [*zip(self.start, after[: len(self.start)], strict=True)]
        wider = [
            leaf if is_key(leaf.dtype) or is_key(aval.dtype) else _in_dtype_of(leaf, aval)
            for leaf, aval in pairs
        ]
        widened = any(new is not leaf for new, leaf in zip(wider, self.start, strict=True))
        self.start = wider
        return widened

    def _in_float64(self, run: Callable[..., Any], arrays: Sequence[Any]) -> ClosedJaxpr | None:
        """Return a step traced in float64; None if it cannot be."""
        given = [*map(_widened, self.start)], [*map(_widened, arrays)]
        random, marks = self.random_states.own(), marking(self._tracing)
        try:
            with random, jax.enable_x64(True), marks, watching():
                closed: ClosedJaxpr = jax.make_jaxpr(run)(*given)
                return on_one_device(closed)
        except Exception:  # of a step that is written for float32
            return None


def _in_dtype_of(leaf: Any, aval: Any) -> Any:
    """Return a leaf in a dtype that has its numbers, and those of a step's result."""
    dtype = jnp.promote_types(leaf.dtype, aval.dtype)
    return leaf if leaf.dtype == dtype else leaf.astype(dtype)


def _widened(array: Any) -> Any:
    return array if is_key(array.dtype) else jax.ShapeDtypeStruct(array.shape, widened(array.dtype))


def _refuse_leaks(closed: ClosedJaxpr) -> None:
    """Raise TrainingError if a step reads what an earlier one has left outside of the state."""
    pairs = zip(closed.jaxpr.constvars, closed.consts, strict=True)
    left = [variable for variable, const in pairs if isinstance(const, jax.core.Tracer)]
    if left:
        graph = Graph(closed.jaxpr)
        reading = (graph.equations[number] for number, _ in graph.readers(left[0]))
        place = next((f" ({place_of(equation)})" for equation in reading), "")
        raise TrainingError(
            "its step keeps arrays outside of the state, in an attribute or an enclosing "
            f"function{place}: return them as a part of the state"
        )


def _with_constants_last(closed: ClosedJaxpr) -> ClosedJaxpr:
    """Return a jaxpr that takes its constants as its last inputs."""
    count = len(closed.in_avals)

    def run(*inputs: Any) -> list[Any]:
        found: list[Any] = jax.core.eval_jaxpr(closed.jaxpr, inputs[count:], *inputs[:count])
        return found

    kinds = [jax.typeof(const) for const in closed.consts]
    return jax.make_jaxpr(run)(*closed.in_avals, *kinds)
