"""One run of a PyTorch training: fresh objects, and its steps taken one after the other.

Example: a training of a model with two lines.

    def training():
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        def step(i):
            optimizer.zero_grad()
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        return model, step

    run = begin("training", training, RunSettings(dtype="float64"))

      seeds         all shared random generators are seeded, and put back afterwards
      objects       training() is called. Meanwhile each optimiser that is made is noted: it is not
                    returned, but its state is part of the run's
      promotion     weight and bias become float64; in float32 they would stay as they are
      names         run.parameters: "model.weight", "model.bias"
      numbers       run.random_states: the state of the generators belongs to this run alone

    run.step()

      before        the run's random states are set; modes (here: promotion) and hooks are entered
      zero_grad     nothing to see
      model(...)    module scope: inside. The input of ones is float32: the operation gets float64
      backward      on_loss(loss); then the true backward; then after_backward(): both parameters
                    have received a gradient, so run.trained holds both
      step          before_update(SGD); the update; after_update(SGD)
      after         hooks and modes are left, random states are kept, run.taken is 1

    run.loss        the loss that backward was called on: one number
    run.state()     {"model.weight": ..., "model.bias": ...}, float64; SGD keeps nothing
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from symmetry.base.calls import calling, running
from symmetry.base.randomness.generators import RandomStates
from symmetry.torch.batches import Batches
from symmetry.torch.compiler import frames
from symmetry.torch.modes.constants import ConstantReads
from symmetry.torch.modes.dtypes import widened
from symmetry.torch.modes.rounding import rounding_by
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.objects import Objects
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.parts.model import TorchLayers, TorchOptimizers
from symmetry.torch.parts.observing import TorchObserving, TorchRecording
from symmetry.torch.parts.operation_modes import OperationModes, TorchDrawing
from symmetry.torch.parts.platform import TorchPlatform, TorchReplicas, full_precision
from symmetry.torch.parts.recomputing import TorchRecomputing
from symmetry.torch.parts.rehearsal import TorchRehearsing, TorchTracing
from symmetry.torch.parts.saving import TorchSaving
from symmetry.torch.parts.settings import TorchSettings
from symmetry.torch.parts.step_events import TorchStepEvents
from symmetry.torch.probes.flowing import TorchFlowing
from symmetry.torch.probes.loss_probe import TorchLossProbe
from symmetry.torch.probes.undoing import TorchUndoing
from symmetry.torch.raising import readable
from symmetry.torch.state import held
from symmetry.torch.trials.first_calls import RunParts
from symmetry.torch.trials.trial import TorchTrial
from symmetry.training.capabilities.batching import Accumulating, Padding, Reordering, Thinning
from symmetry.training.capabilities.drawing import Drawing
from symmetry.training.capabilities.flowing import Flowing, Undoing
from symmetry.training.capabilities.model import Differentiating, Freezing, Layered, Optimizing
from symmetry.training.capabilities.observing import (
    Observing,
    Recomputing,
    Recording,
    Rehearsing,
    Tracing,
)
from symmetry.training.capabilities.platform import Configuring, Platform, Replicated
from symmetry.training.capabilities.rows import Rows
from symmetry.training.capabilities.saving import Saving
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.losses import LossProbe
from symmetry.training.run import Constant, Kind, RunSettings
from symmetry.training.trial import Functions, Sampling, Trial
from symmetry.units.state import Array, State


class TorchRun:
    """A PyTorch training on fresh objects, under seeds and random states of its own.

    It is a ``Run``: the documentation there is not repeated here. ``symmetry.torch.begin`` makes
    one.

    Attributes
    ----------
    arrays
        The objects, read and written as arrays.
    optimizers
        The optimisers, by name.
    events
        The losses, backwards and updates of steps.
    operations
        What every operation passes through.
    batches
        What steps are called with.
    random_states
        The random numbers of the next step.
    frames_before
        How many frames torch.compile had looked at when the run began.
    """

    def __init__(
        self,
        name: str,
        objects: Objects,
        parameters: Mapping[str, nn.Parameter],
        random_states: RandomStates,
        settings: RunSettings,
    ) -> None:
        self.name, self.settings, self.taken = name, settings, 0
        self._scope = ModuleScope(objects.model)
        self.arrays = Arrays(objects, parameters)
        self.optimizers = TorchOptimizers(objects, parameters)
        self.events = TorchStepEvents(parameters, self.optimizers, self._scope)
        self.random_states, self.frames_before = random_states, frames()
        self.batches = Batches(objects, self._scope, random_states, settings)
        self.operations = OperationModes(self._scope, self.batches, settings)

    @property
    def objects(self) -> Objects:
        """The objects that the training made."""
        return self.arrays.objects

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The parameters themselves, with their gradients."""
        return self.arrays.parameters

    @property
    def trained(self) -> frozenset[str]:
        """The parameters that have received a gradient by now, or that an optimiser holds.

        The former may be frozen at the end of a step, as a critic is while a generator learns.
        """
        trainable = self.optimizers.trainable
        return (trainable & self.optimizers.held) | self.events.reached or trainable

    @property
    def random(self) -> Mapping[tuple[str, str], None]:
        """Name and ``file:line`` of the random operations that were seen inside of the model."""
        return self.operations.random

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        return self.events.loss

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        """Return all floating-point tensors, by name; float32 or float64."""
        return self.arrays.state(copy=copy)

    def parameter_arrays(self) -> dict[str, Array]:
        """Return copies of the parameters alone."""
        return self.arrays.parameter_arrays()

    def load(self, state: State) -> None:
        """Write arrays into the tensors of these names; other tensors stay."""
        self.arrays.load(state)

    def precision(self) -> dict[str, float]:
        """Return the eps of each tensor of the state, in the dtype that it really has."""
        return self.arrays.precision()

    def step(self) -> None:
        """Take the next step; what it raises becomes a ``TrainingError``."""
        began = time.perf_counter()
        running.step += 1
        self.events.step_begins()
        with (
            self.random_states.own(),
            readable(f"step({self.taken})"),
            full_precision(),
            self.operations.entered(),
            self.events.hooked(),
        ):
            with calling("step", self.name, self.settings.dtype):
                argument = self.batches.argument(self.taken)
                with self.batches.other_draws():
                    returned = self.objects.step(argument)
            self.events.step_ends(returned)
        self.taken += 1
        running.spent += time.perf_counter() - began

    def states(self, steps: int, *, copy: bool = True) -> Iterator[dict[str, Array]]:
        """Yield the state after each of ``steps`` further steps."""
        for _ in range(steps):
            self.step()
            yield self.state(copy=copy)

    def samples(self) -> int | None:
        """Return how many samples each batch has; None where that is not known to be one number."""
        return self.batches.samples()

    def average_constants(self, constants: Mapping[int, Sequence[int]]) -> None:
        """Make steps see these constants averaged over the given axes, or zero without axes."""
        self.operations.constants = ConstantReads(self._scope, constants)

    def constants_outside_forward(self, steps: int) -> Sequence[Constant]:
        """Take ``steps`` steps; return the constants that only a backward or an update reads."""
        seen = self.operations.constants = ConstantReads(self._scope)
        begins, ends = lambda _: seen.backward_begins(), seen.backward_ends
        with self.events.listening(on_loss=begins, after_backward=ends):
            for _ in range(steps):
                self.step()
                seen.step_ends()
        return seen.outside_forward(self.arrays.tensors_and_attributes())

    def round_by(self, seed: int | None, *, closely: bool = False) -> None:  # noqa: ARG002
        """Round each operation in another way, at random; with None as it is, but not compiled."""
        self.operations.rounding = rounding_by(seed, promoted=self.settings.promotes)

    def under(self, settings: RunSettings) -> TorchRun:
        """Return a run of the same objects under other settings; this one has taken no step.

        They have the same seed, and the same order of samples.
        """
        if settings.promotes:
            promote(self.objects)
        states = RandomStates(self.random_states.states)
        return TorchRun(self.name, self.objects, self.parameters, states, settings)

    def close(self) -> None:
        """Close the step, if it can be closed: a script is suspended in one."""
        getattr(self.objects.step, "close", lambda: None)()

    @property
    def capabilities(self) -> frozenset[type]:
        """The kinds of capabilities that such runs can have."""
        return frozenset(_CAPABILITIES)

    def capability(self, kind: type[Kind]) -> Kind | None:
        """Return the run's capability of this kind; None if it lacks it."""
        make = _CAPABILITIES.get(kind)
        return None if make is None else make(self)


def promote(objects: Objects) -> None:
    """Make every tensor float64 that exists before the first step; the objects stay theirs."""
    for thing in objects.extras.values():
        if hasattr(thing, "_enabled"):  # a gradient scaler has nothing to do in float64
            thing._enabled = False
    for _, tensor in held(objects):
        if (wide := widened(tensor.data)).dtype != tensor.dtype:
            tensor.data, tensor.grad = wide, None


def _trial(run: TorchRun) -> TorchTrial:
    return TorchTrial(RunParts(run.objects.model, run.events, run.operations.entered, run.step))


# A part that takes steps is made when it is asked for: a run that held it would hold itself, and be
# freed late.
_CAPABILITIES: Mapping[type, Callable[[TorchRun], Any]] = {
    StepEvents: lambda run: run.events,
    Optimizing: lambda run: run.optimizers,
    Freezing: lambda run: run.optimizers,
    Differentiating: lambda run: run.arrays,
    Reordering: lambda run: run.batches,
    Accumulating: lambda run: run.batches,
    Padding: lambda run: run.batches,
    Thinning: lambda run: run.batches,
    Saving: lambda run: TorchSaving(run, run.arrays, run.random_states),
    Configuring: lambda run: TorchSettings(run.objects),
    Recomputing: lambda _: TorchRecomputing(),
    Observing: lambda run: TorchObserving(run, run.arrays, run.events, run.operations),
    Recording: lambda run: TorchRecording(run, run.arrays),
    Replicated: lambda run: TorchReplicas(run.parameters),
    Rehearsing: lambda run: TorchRehearsing(run, run.arrays, run.events),
    Tracing: lambda run: TorchTracing(run.arrays, run.events),
    Layered: lambda run: TorchLayers(run.objects.model, run.parameters),
    Drawing: lambda run: TorchDrawing(run.operations, run.random_states),
    Flowing: lambda run: TorchFlowing(run.objects.model, run.parameters, run.events),
    Undoing: lambda run: TorchUndoing(run.objects.model, run.parameters, run.events, run.step),
    LossProbe: lambda run: TorchLossProbe(run.objects.model, lambda: run.taken),
    Trial: lambda run: _trial(run),
    Sampling: lambda run: _trial(run),
    Functions: lambda run: _trial(run),
    Rows: lambda run: _trial(run),
    Platform: lambda run: TorchPlatform(run.arrays, run.frames_before),
}
