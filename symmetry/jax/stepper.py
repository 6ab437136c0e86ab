"""Taking the steps of a run: what goes into its program, and what becomes of the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from symmetry.jax.jaxprs.recorder import Recorder
from symmetry.jax.jaxprs.step import Manner, Outputs, TracedStep
from symmetry.jax.leaves import Leaves
from symmetry.jax.made import is_number
from symmetry.jax.program import Program
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.units.units import Order


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
        What the last step yielded: its losses and gradients.
    taken
        How many steps were taken.
    recorder
        Records the steps that are rehearsed; None if nothing is recorded.
    """

    def __init__(self, program: Program, manner: Manner, order: Order | None) -> None:
        self.program, self.manner, self.order, self.taken = program, manner, order, 0
        self.leaves = Leaves(program, promote=manner.promote)
        self.events, self.outputs = StepEvents(), dict[str, Any]()
        self.recorder: Recorder | None = None

    @property
    def traced(self) -> TracedStep:
        """The next step as a jaxpr."""
        return self.program.traced(self.taken)

    @property
    def gradient_leaves(self) -> Mapping[str, int]:
        """The leaf that each gradient belongs to, by the gradient's name."""
        return self.traced.gradients

    def step(self) -> None:
        """Take the next step, and tell of its events."""
        traced, events = self.traced, self.events
        wanted = (*self.leaves.outputs(), *traced.losses, *traced.gradients)
        outputs = self.outputs = {**self.take(wanted)}
        events.backwards, events.grads, events.pending = len(traced.losses), 0, True
        for name in traced.losses:
            events.on_loss(outputs[name])
        if traced.gradients:
            events.after_backward()
        self.leaves.replace(outputs)
        self.taken += 1

    def rehearse(self) -> None:
        """Take the next step up to its losses; leaves stay if they depend on gradients."""
        traced, values = self.traced, self.leaves.values
        wanted = (*self.leaves.outputs(traced.forward), *traced.losses)
        if self.recorder is None:
            outputs = {**self.take(wanted)}
        else:
            flat = traced.flat(self.manner).only(wanted)
            outputs = self.recorder.record(flat, values, self.leaves.names, self.inputs())
        self.outputs = outputs
        self.leaves.replace(outputs)
        self.taken += 1

    def take(self, wanted: tuple[str, ...]) -> Outputs:
        """Return some outputs of the next step."""
        compiled = self.traced.compiled(self.manner, wanted)
        return compiled([*self.leaves.values, *self.inputs()])

    def inputs(self) -> list[Any]:
        """Return the inputs of the next step beside the leaves."""
        given, axis, order = (
            self.program.given(self.taken),
            self.program.made.batch_axis,
            self.order,
        )
        if order is not None:
            given = jax.tree.map(
                lambda leaf: (
                    np.take(np.asarray(leaf), order, axis) if np.ndim(leaf) > axis else leaf
                ),
                given,
            )
        return [self.leaves.as_taken(value) for value in self.program.inputs(given)]

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
        sizes = {np.shape(leaf)[axis] if np.ndim(leaf) > axis else None for leaf in leaves}
        return sizes.pop() if len(sizes) == 1 else None
