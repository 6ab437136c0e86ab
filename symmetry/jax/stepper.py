"""Taking the steps of a run: the inputs of its program, and the use of the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from symmetry.jax.jaxprs.recorder import JaxprRecorder
from symmetry.jax.jaxprs.step import Outputs, StepManner, TracedStep
from symmetry.jax.leaves import Leaves
from symmetry.jax.made import is_number
from symmetry.jax.optimizer import JaxOptimizer
from symmetry.jax.probes.texts import with_others_hidden
from symmetry.jax.program import Program
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import RunSettings
from symmetry.units.state import Array


class Stepper:
    """Takes the steps of one run.

    Attributes
    ----------
    program
        The program of the training.
    manner
        How steps are taken.
    order
        The order in which the samples of each batch are put; None leaves them as they are.
    leaves
        The leaves of the state.
    events
        The losses, gradients and updates of steps, as they happen.
    outputs
        The losses and gradients of the last step.
    gradients
        The leaf that each gradient of the last step belongs to, by the gradient's name.
    taken
        How many steps were taken.
    recorder
        Records the steps that are rehearsed; None if nothing is recorded.
    optimizer
        Updates the parameters; None if the step shows no gradients.
    averaged
        The axes over which inputs are averaged, by their numbers.
    hides_others
        Whether other tokens are put in the batches where masks hide them.
    seed_of_rounding
        Says how operations round, if they do so in another way.
    instead
        The losses of a rehearsed step in which something was replaced; None if nothing is.
    """

    def __init__(self, program: Program, settings: RunSettings) -> None:
        self.program, self.order, self.taken = program, settings.sample_order, 0
        self.manner = StepManner(settings.promotes, settings.noise)
        self.leaves = Leaves(program, promote=settings.promotes)
        self.events, self.outputs = StepEvents(program.made.part), dict[str, Any]()
        self.gradients: Mapping[str, int] = {}
        self.recorder: JaxprRecorder | None = None
        self.optimizer = JaxOptimizer.of(self.leaves, self.traced)
        self.averaged: Mapping[int, Sequence[int]] = {}
        self.hides_others, self.seed_of_rounding = False, 0
        self.instead: Outputs | None = None

    @property
    def traced(self) -> TracedStep:
        """The next step as a jaxpr."""
        return self.program.traced(self.taken)

    def step(self) -> None:
        """Compute the next step as a whole; then tell of its events in their order."""
        traced, events, optimizer = self.traced, self.events, self.optimizer
        wanted = (*self.leaves.outputs(), *traced.losses, *traced.gradients)
        self.outputs, self.gradients = {**self.take(wanted)}, traced.gradients
        events.backwards, events.grads, events.pending = len(traced.losses), 0, True
        for name in traced.losses:
            events.emit("on_loss", self.outputs[name])
        if traced.gradients:
            events.emit("after_backward")
        if optimizer is not None:
            events.emit("before_update", optimizer)
            if optimizer.is_set:  # to other rates: the update is another one
                self.outputs |= self.take(wanted)
        self.leaves.replace(self.outputs)
        events.updates, events.pending = events.updates + 1, False
        if optimizer is not None:
            events.emit("after_update", optimizer)
        self.taken += 1

    def rehearse(self) -> None:
        """Take the next step up to its losses; leaves stay if they depend on gradients."""
        traced, values = self.traced, self.leaves.values
        wanted = (*self.leaves.outputs(traced.forward), *traced.losses)
        if self.recorder is None:
            outputs = {**self.take(wanted), **(self.instead or {})}
        else:
            flat = traced.flat(self.manner).only(wanted)
            outputs = self.recorder.record(flat, values, self.leaves.names, self.inputs())
        self.outputs = outputs
        self.leaves.replace(outputs)
        self.taken += 1

    def take(self, wanted: tuple[str, ...]) -> Outputs:
        """Return some outputs of the next step."""
        compiled = self.traced.compiled(self.manner, wanted)
        return compiled([*self.leaves.values, *self.inputs()], self.seed_of_rounding)

    def inputs(self) -> list[Any]:
        """Return the inputs of the next step beside the leaves."""
        given = self.program.given(self.taken)
        if self.hides_others:
            given = with_others_hidden(given)
        given = jax.tree.map(self._reordered, given)
        first = len(self.leaves.values)
        inputs = self.program.inputs(self.taken, given)
        for number, axes in self.averaged.items():
            inputs[number - first] = _averaged(np.asarray(inputs[number - first]), tuple(axes))
        return [self.leaves.as_taken(value) for value in inputs]

    def _reordered(self, leaf: Any) -> Any:
        axis, order = self.program.made.batch_axis, self.order
        if order is None or np.ndim(leaf) <= axis:
            return leaf
        return np.asarray(leaf).take(order, axis)

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        names = (name for name in self.outputs if name.partition(".")[0] in ("loss", "aux"))
        return [float(np.sum(np.asarray(self.outputs[name], np.float64))) for name in names]

    def samples(self) -> int | None:
        """Return how many samples each batch has; None where that is not known to be one number."""
        if self.program.made.batch is None:
            return None
        axis = self.program.made.batch_axis
        leaves = [leaf for leaf in jax.tree.leaves(self.program.given(0)) if is_number(leaf)]
        arrays = [leaf for leaf in leaves if np.ndim(leaf)]  # a number belongs to all samples
        sizes = {np.shape(leaf)[axis] if np.ndim(leaf) > axis else None for leaf in arrays}
        return sizes.pop() if len(sizes) == 1 else None


def _averaged(array: Array, axes: tuple[int, ...]) -> Array:
    """Return an array that is the same along some axes; zero without axes."""
    if not axes:
        return np.zeros_like(array)
    size = np.sqrt(np.mean(np.square(array, dtype=np.float64), axes, keepdims=True))
    return np.broadcast_to(size, array.shape).astype(array.dtype)
