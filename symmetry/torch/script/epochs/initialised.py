"""Weights that loading has left as they were initialised, and that no optimiser trains.

Example: ``model.load_state_dict(state, strict=False)`` with a file that lacks one layer, and a
model that is frozen but for its head. The layer keeps random numbers, and the outputs depend on it.

A head that is trained is meant to begin with random numbers. Tensors that were loaded before have
none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.script.epochs.identities import Inputs, distance, first, outputs, quietly
from symmetry.torch.script.epochs.log import digest_of
from symmetry.training.events import Initialised

_FELT = 1e-3  # of outputs, if numbers move by as much as the largest one


class _Loaded(NamedTuple):
    """A model, and the tensors that loading has left as they were."""

    at: SourceLine
    model: nn.Module
    digests: Mapping[str, str]  # of the tensors, by name


class InitialisedWeights:
    """Sees what is loaded into models.

    Parameters
    ----------
    called
        Returns the modules that were called last, with their arguments.
    held
        Returns the ids of the parameters that optimisers hold.
    """

    def __init__(
        self,
        called: Callable[[], Sequence[tuple[nn.Module, Inputs]]],
        held: Callable[[], set[int]],
    ) -> None:
        self._called, self._held = called, held
        self._loads: list[_Loaded] = []
        self._filled: dict[int, Tensor] = {}  # parameters that were loaded, by their ids

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        owner = getattr(sys.modules.get("transformers.modeling_utils"), "PreTrainedModel", None)
        if owner is not None:
            yield owner, "from_pretrained", classmethod(self._seen(owner.from_pretrained.__func__))

    def _seen(self, load: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(load)
        def seen(kind: Any, *args: Any, output_loading_info: bool = False, **kwargs: Any) -> Any:
            model, info = load(kind, *args, output_loading_info=True, **kwargs)
            lacks = {*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])}
            self.loaded(model, lacks)
            return (model, info) if output_loading_info else model

        return seen

    def loaded(self, model: nn.Module, lacks: Iterable[str]) -> None:
        """See that a state was loaded into a model, which lacks tensors of these names."""
        missing = {*lacks}
        own = dict(model.named_parameters(remove_duplicate=False))
        self._filled.update((id(p), p) for name, p in own.items() if name not in missing)
        names = [n for n, p in own.items() if n in missing and id(p) not in self._filled]
        if 0 < len(names) < len(own) - len(names):  # else it is the file of an adapter
            digests = {name: digest_of([own[name]]) for name in names}
            self._loads.append(_Loaded(asked_at(), model, digests))

    def records(self) -> tuple[Initialised, ...]:
        """Return what is neither loaded nor trained, and moves outputs if it moves."""
        found = list[Initialised]()
        for each in self._loads:
            with quietly():
                found += self._left(each)
        return tuple(found)

    def _left(self, loaded: _Loaded) -> Iterator[Initialised]:
        done = self._held() | self._filled.keys()
        left = {
            name: parameter
            for name, parameter in loaded.model.named_parameters()
            if id(parameter) not in done and digest_of([parameter]) == loaded.digests.get(name)
        }
        for root, inputs in reversed(self._called()):
            if left and any(module is loaded.model for module in root.modules()):
                if _matter(root, inputs, [*left.values()]):
                    yield Initialised(at=loaded.at, names=tuple(left))
                return


@torch.no_grad()
def _matter(root: nn.Module, inputs: Inputs, parameters: Sequence[Tensor]) -> bool:
    """Return whether the first output of a module is another one if parameters move."""
    memo: dict[int, Any] = {}
    other = deepcopy(root, memo)
    before = outputs(other, inputs)
    for parameter in parameters:
        moved = memo[id(parameter)]
        moved.add_(torch.randn_like(moved) * moved.abs().max().clamp(min=1e-2))
    return distance(first(before), first(outputs(other, inputs))) > _FELT
