"""Saving a run, and letting a fresh one continue from there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer

from symmetry.base.folders import TemporaryFolder
from symmetry.base.patches import Patch, patched
from symmetry.base.randomness import generators
from symmetry.base.randomness.generators import RandomStates
from symmetry.torch.objects import generators_of
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.raising import readable
from symmetry.torch.script.script import ScriptStep
from symmetry.torch.state import bytes_of, write
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.saving import SavedRun, Saving
from symmetry.training.run import Run
from symmetry.units.state import Array

# An optimiser casts the state that it loads to the dtypes of its parameters. Where a script loads
# none, the state has to be what it was: one that rounds by hand keeps more bits than these.
_AS_SAVED: Patch = (
    Optimizer,
    "_process_value_according_to_param_policy",
    staticmethod(lambda _, value, *__, **___: value),
)


class _Content(NamedTuple):
    """The state needed to continue a training in another process, its gradients, and its step."""

    dicts: Mapping[str, Any]
    folder: TemporaryFolder | None  # what the training has saved by itself, instead of these
    random_states: Any
    generators: list[Any]
    gradients: dict[str, Array]
    arguments: str  # a digest of what the next step begins with
    evaluated: list[float]  # sums of what models have computed without gradients before that


class TorchSaving(Saving):
    """Saves the state dictionaries, random states and gradients of a run."""

    def __init__(self, run: Run, arrays: Arrays, random_states: RandomStates) -> None:
        self._run, self._arrays, self._random_states = run, arrays, random_states
        own = arrays.objects.save is not None
        self.lacks = f"some of its state is {'not in its files' if own else 'in no state_dict()'}"
        self.cure = "of a shuffled loader: make the batch a function of i"

    def save(self) -> SavedRun:
        """Return copies of all state dictionaries, random states and gradients."""
        objects = self._arrays.objects
        folder, dicts = self._filed(), dict[str, Any]()
        for name, thing in objects.stateful.items() if folder is None else ():
            # One whose state lies on several ranks wants them to gather it before.
            with readable(f"{name}.state_dict"):
                dicts[name] = _copy(thing.state_dict())
        own = generators.states_of(generators_of(objects))
        content = _Content(
            dicts,
            folder,
            self._random_states.states,
            own,
            self._arrays.gradients(),
            *_begun(objects.step),
        )
        return SavedRun(self._run.taken, content)

    def _filed(self) -> TemporaryFolder | None:
        """Let the training save into a folder, if it can."""
        if self._arrays.objects.save is None:
            return None
        folder = TemporaryFolder()
        with readable("save"), self._random_states.own():
            self._arrays.objects.save(folder.path)
        return folder

    def hands_on(self, saved: SavedRun) -> bool:
        """Return whether what models have computed is on its way into the next step of a script."""
        content = saved.content
        return _begun(self._arrays.objects.step) != (content.arguments, content.evaluated)

    def restore(self, saved: SavedRun, *, gradients: bool = False) -> None:
        """Continue where another run of the same training was saved."""
        objects, content = self._arrays.objects, saved.content
        if content.folder is not None and objects.load is not None:
            with readable("load"), self._random_states.own():
                objects.load(content.folder.path)
        for name, thing in objects.stateful.items() if content.folder is None else ():
            with readable(f"{name}.load_state_dict"), ExitStack() as stack:
                if isinstance(objects.step, ScriptStep):
                    stack.enter_context(patched([_AS_SAVED]))
                thing.load_state_dict(deepcopy(content.dicts[name]))
        generators.set_states(generators_of(objects), content.generators)
        self._random_states.states, self._run.taken = content.random_states, saved.taken
        for name, array in content.gradients.items() if gradients else ():
            parameter = self._arrays.parameters[name]
            parameter.grad = torch.empty_like(parameter)
            write(parameter.grad, array)


def _begun(step: Any) -> tuple[str, list[float]]:
    """Return what the next step of a script begins with; see ``_Content``."""
    if not isinstance(step, ScriptStep):
        return "", []
    digest = hashlib.sha256()
    for tensor in tensors_in(step.arguments):
        if tensor.layout is torch.strided and not tensor.is_meta:
            digest.update(bytes_of(tensor))
    return digest.hexdigest(), step.evaluated


def _copy(saved: Any) -> Any:
    """Return a deep copy without the history of tensors, as a file would be."""
    tensors = [t for t in tensors_in(saved) if not t.is_leaf]
    return deepcopy(saved, {id(t): t.detach().clone() for t in tensors})
