"""One run of a JAX training: the leaves of its state, and its steps taken one after the other.

Example: a training with two parameters.

    def training():
        def loss(w, x):
            return (x @ w["a"]).sum() * w["b"]
        def step(w, i):
            value, gradient = jax.value_and_grad(loss)(w, jnp.ones((1, 2)))
            return jax.tree.map(lambda p, g: p - 0.1 * g, w, gradient), value
        return {"a": jnp.ones(2), "b": jnp.ones(())}, step

    run = begin("training", training, RunSettings(dtype="float64"))

      program       training() is called, and its step is traced: a jaxpr that takes two leaves and
                    the number of the step. The value that is differentiated is marked in there
      names         run.parameters: "model.a", "model.b"
      leaves        of the run: in float64

    run.step()

      inputs        the leaves, and 0
      outputs       the jaxpr in float64, compiled once for all runs, yields the next leaves, the
                    loss and the gradients
      events        on_loss, after_backward; then the leaves are replaced
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from symmetry.base.calls import calling, running
from symmetry.jax.constants import average, constants_outside_forward
from symmetry.jax.copies import JaxCopies
from symmetry.jax.jaxprs.step import StepManner
from symmetry.jax.leaves import as_array
from symmetry.jax.parts.batches import JaxPadding, JaxReordering
from symmetry.jax.parts.drawing import JaxDrawing, JaxKeyed
from symmetry.jax.parts.functions import JaxFunctions
from symmetry.jax.parts.model import JaxLayers, JaxOptimizers, gradients_of
from symmetry.jax.parts.observing import JaxObserving, JaxRecording, JaxRehearsing, JaxTracing
from symmetry.jax.parts.sampling import JaxSampling
from symmetry.jax.parts.saving import JaxHandingOn, JaxSaving
from symmetry.jax.parts.settings import JaxSettings
from symmetry.jax.probes.loss_probe import JaxLossProbe
from symmetry.jax.program import Program
from symmetry.jax.raising import readable
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.batching import Padding, Reordering
from symmetry.training.capabilities.drawing import Drawing, Keyed
from symmetry.training.capabilities.model import Differentiating, Layered, Optimizing
from symmetry.training.capabilities.observing import Observing, Recording, Rehearsing, Tracing
from symmetry.training.capabilities.platform import Configuring, Copied
from symmetry.training.capabilities.saving import HandingOn, Saving
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.losses import LeakSearch, LossProbe
from symmetry.training.run import Constant, Kind, RunSettings
from symmetry.training.trial import Functions, Sampling
from symmetry.units.state import Array, State


class JaxRun(Stepper):
    """A JAX training from its start, with leaves of its own.

    It is a ``Run``: the documentation there is not repeated here. ``symmetry.jax.begin`` makes one.

    Attributes
    ----------
    anew
        Returns a program that traces each of its steps as if there was no ``jax.jit``.
    """

    def __init__(
        self,
        program: Program,
        anew: Callable[[], Program],
        settings: RunSettings,
    ) -> None:
        super().__init__(program, settings)
        self.name, self.dtype, self.anew = program.name, settings.dtype, anew

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The leaves that are trained."""
        return self.leaves.parameters

    @property
    def trained(self) -> frozenset[str]:
        """The leaves that are trained."""
        return frozenset(self.parameters)

    @property
    def random(self) -> Mapping[tuple[str, str], None]:
        """Name and ``file:line`` of the random draws of the model."""
        if self.manner._replace(rounds=False) == StepManner():
            return {}
        return {(draw.name, draw.place): None for draw in self.traced.noise}

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        sums = self.loss_sums()
        return sum(sums) if sums else None

    def state(self, *, copy: bool = True) -> dict[str, Array]:  # noqa: ARG002
        """Return all leaves with floating-point numbers, by name; float32 or float64."""
        return self.leaves.arrays()

    def parameter_arrays(self) -> dict[str, Array]:
        """Return copies of the parameters alone."""
        return {name: as_array(leaf) for name, leaf in self.parameters.items()}

    def load(self, state: State) -> None:
        """Write arrays into the leaves of these names; other leaves stay."""
        self.leaves.load(state)

    def precision(self) -> dict[str, float]:
        """Return the eps of each leaf, in the dtype that it really has."""
        return self.leaves.precision()

    def step(self) -> None:
        """Take the next step; what it raises becomes a ``TrainingError``."""
        began = time.perf_counter()
        running.step += 1
        with readable(f"step({self.taken})"), calling("step", self.name, self.dtype):
            super().step()
        if not running.first:  # the first one compiles, once for all runs
            running.spent += time.perf_counter() - began

    def states(self, steps: int, *, copy: bool = True) -> Iterator[dict[str, Array]]:
        """Yield the state after each of ``steps`` further steps."""
        for _ in range(steps):
            self.step()
            yield self.state(copy=copy)

    def average_constants(self, constants: Mapping[int, Sequence[int]]) -> None:
        """Make steps see these constants averaged over the given axes, or zero without axes."""
        average(self, constants)

    def constants_outside_forward(self, steps: int) -> Sequence[Constant]:
        """Take ``steps`` steps; return the constants that only a backward or an update reads."""
        return constants_outside_forward(self, steps)

    def round_by(self, seed: int | None, *, closely: bool = False) -> None:
        """Round each operation in another way if looked at closely: that has to be compiled."""
        if closely and seed is not None:
            self.manner, self.seed_of_rounding = self.manner._replace(rounds=True), seed

    def close(self) -> None:
        """Do nothing: a run holds nothing but its leaves."""

    @property
    def capabilities(self) -> frozenset[type]:
        """The kinds of capabilities that such runs can have."""
        return frozenset(_CAPABILITIES)

    def capability(self, kind: type[Kind]) -> Kind | None:
        """Return the run's capability of this kind; None if it lacks it."""
        make = _CAPABILITIES.get(kind)
        return None if make is None else make(self)


_CAPABILITIES: Mapping[type, Callable[[JaxRun], Any]] = {
    StepEvents: lambda run: run.events,
    Optimizing: JaxOptimizers,
    Differentiating: gradients_of,
    Reordering: JaxReordering,
    Padding: JaxPadding,
    Saving: JaxSaving,
    HandingOn: JaxHandingOn,
    Configuring: lambda run: JaxSettings(run, run.anew),
    Observing: JaxObserving,
    Recording: JaxRecording,
    Drawing: JaxDrawing,
    Keyed: JaxKeyed,
    Functions: JaxFunctions,
    Rehearsing: JaxRehearsing,
    Tracing: JaxTracing,
    Layered: JaxLayers,
    LossProbe: JaxLossProbe,
    Sampling: JaxSampling,
    Copied: JaxCopies,
    LeakSearch: JaxLossProbe,
}
