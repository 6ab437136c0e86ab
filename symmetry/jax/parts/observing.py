"""Observing what happens inside of a step: modules, losses and gradients."""

from __future__ import annotations

from symmetry.jax.leaves import as_array
from symmetry.jax.parts.gradients import JaxGradients
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.observing import Observing
from symmetry.training.observation import Observation, ObservedCall, ObservedName


class JaxObserving(Observing):
    """Observes modules, losses and gradients of a run's steps."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def observe(self) -> Observation:
        """Take the next step; return what it shows beside the state.

        A library has to open a scope for each module, as Flax and Haiku do.
        """
        stepper, shown = self._stepper, Observation()
        modules = stepper.traced.flat(stepper.manner).modules
        returned = stepper.take(tuple(f"module.{path}" for path in modules)) if modules else {}
        for path, place in modules.items():
            key = ObservedName("forward", path)
            shown.parts[key] = [as_array(returned[f"module.{path}"])]
            parent = path.rpartition(".")[0] or None
            shown.calls.append(ObservedCall(path, parent, (), (key,)))
            if place.file:
                shown.lines[key] = place.shown, place.line
        stepper.step()
        if sums := stepper.loss_sums():
            shown.parts[ObservedName("loss", "")] = [as_array(sum(sums))]
        for name, gradient in JaxGradients(stepper).gradients().items():
            shown.parts[ObservedName("gradient", name)] = [gradient]
        for name, array in stepper.leaves.arrays().items():
            shown.parts[ObservedName("update", name)] = [array]
        return shown
