"""Saving a run, and letting a fresh one continue from there."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import torch

from symmetry.base import generators
from symmetry.base.generators import RandomStates
from symmetry.torch.modes.recorder import tensors_in
from symmetry.torch.objects import generators_of
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.raising import readable
from symmetry.torch.state import write
from symmetry.training.capabilities.saving import SavedRun, Saving
from symmetry.training.run import Run
from symmetry.units.state import Array


class _Content(NamedTuple):
    """The state needed to continue a training in another process, and its gradients."""

    dicts: Mapping[str, Any]
    random_states: Any
    generators: list[Any]
    gradients: dict[str, Array]


class TorchSaving(Saving):
    """Saves the state dictionaries, random states and gradients of a run."""

    def __init__(self, run: Run, arrays: Arrays, random_states: RandomStates) -> None:
        self._run, self._arrays, self._random_states = run, arrays, random_states

    def save(self) -> SavedRun:
        """Return copies of all state dictionaries, random states and gradients."""
        objects = self._arrays.objects
        dicts = {name: _copy(x.state_dict()) for name, x in objects.stateful.items()}
        own = generators.states_of(generators_of(objects))
        content = _Content(dicts, self._random_states.states, own, self._arrays.gradients())
        return SavedRun(self._run.taken, content)

    def restore(self, saved: SavedRun, *, gradients: bool = False) -> None:
        """Continue where another run of the same training was saved."""
        objects, content = self._arrays.objects, saved.content
        for name, thing in objects.stateful.items():
            with readable(f"{name}.load_state_dict"):
                thing.load_state_dict(deepcopy(content.dicts[name]))
        generators.set_states(generators_of(objects), content.generators)
        self._random_states.states, self._run.taken = content.random_states, saved.taken
        for name, array in content.gradients.items() if gradients else ():
            parameter = self._arrays.parameters[name]
            parameter.grad = torch.empty_like(parameter)
            write(parameter.grad, array)


def _copy(saved: Any) -> Any:
    """Return a deep copy without the history of tensors, as a file would be."""
    tensors = [t for t in tensors_in(saved) if not t.is_leaf]
    return deepcopy(saved, {id(t): t.detach().clone() for t in tensors})
