"""How much of its updates a parameter of 16 bits keeps, against the same updates of float32 copies.

Example: a weight of 1 moves in steps of 1/128 in bfloat16, and by 1e-5 in an update.

    in float32      1.0 -> 0.99999 -> 0.99998
    in bfloat16     1.0 -> 1.0     -> 1.0        nothing is kept: each sum is rounded to 1

Before each update a copy of the optimiser steps, with its parameters, states and gradients in
float32. A rest that is rounded away may be kept elsewhere, and is then added later: in a copy of
the parameter in float32, or in a state that would be zero if nothing were rounded.
"""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from symmetry.base.randomness import generators
from symmetry.torch.objects import held_by
from symmetry.training.events import Rounded, RoundedTensor

_SMALL = (torch.bfloat16, torch.float16)
_UPDATES = 24  # of each optimiser that are seen
_MOST = 1 << 24  # numbers in the parameters of an optimiser
_ZERO = 0.02  # of a state, that is left of it where nothing is rounded


@dataclass
class _Kept:
    """The part of its updates that a parameter has kept so far."""

    parameter: weakref.ref[Tensor]
    both: float = 0.0  # the sum of its movement times the movement of the copy
    own: float = 0.0  # the sum of the squares of the copy's
    still: int = 0  # entries that only the copy has moved
    moved: int = 0  # entries that the copy has moved
    updates: int = 0
    compensated: int = 0  # updates whose rest a state holds


@dataclass
class _Copy:
    """An optimiser that has stepped on copies in float32, and what there was before."""

    pairs: list[tuple[Tensor, Tensor, Tensor]]  # the parameter, its copy, and its old numbers
    states: Mapping[Any, Any]  # of the copy, by the copies of parameters
    backwards: int


@dataclass
class _Optimizer:
    """All that is known of the updates of an optimiser."""

    kept: dict[int, _Kept] = field(default_factory=dict)  # by the id of the parameter
    masters: list[tuple[int, Tensor, Tensor]] | None = None  # of a parameter: a copy, its numbers
    numbers: int = 0  # in all of its parameters
    why_not: str = ""


class RoundedUpdates:
    """Follows the updates of parameters of 16 bits.

    Attributes
    ----------
    is_trying
        Whether a copy of an optimiser steps now.
    """

    def __init__(self) -> None:
        self.is_trying = False
        self._optimizers: dict[int, _Optimizer] = {}
        self._copy: _Copy | None = None

    def begins(self, optimizer: Any, number: int, backwards: int) -> None:
        """See an optimiser before an update, and how many backwards there were."""
        self._copy = None
        if not any(map(_is_small, held_by(optimizer))):
            return
        known = self._optimizers.setdefault(number, _Optimizer())
        if known.why_not or any(each.updates >= _UPDATES for each in known.kept.values()):
            return
        if known.kept and known.masters is None:
            known.masters = [*_masters([p for p in held_by(optimizer) if _is_small(p)])]
        known.numbers = sum(p.numel() for p in held_by(optimizer))
        if known.numbers > _MOST:
            known.why_not = "an optimiser holds too many parameters to copy them"
            return
        self.is_trying = True
        try:
            with torch._C.DisableTorchFunction(), generators.kept(generators.shared()):
                self._copy = _stepped(optimizer, backwards)
        except Exception as error:  # it cannot be copied, or needs a closure
            known.why_not = f"a copy of an optimiser raises {type(error).__name__}"
        finally:
            self.is_trying = False

    def ended(self, optimizer: Any, number: int, backwards: int) -> None:
        """See an optimiser after an update; a closure may have computed other gradients."""
        stepped, self._copy = self._copy, None
        if stepped is None or stepped.backwards != backwards:
            return
        known = self._optimizers[number]
        with torch.no_grad(), torch._C.DisableTorchFunction():
            for parameter, copied, old in stepped.pairs:
                kept = known.kept.setdefault(id(parameter), _Kept(weakref.ref(parameter)))
                _add(kept, parameter, copied, old)
                states = optimizer.state.get(parameter, {}), stepped.states.get(copied, {})
                kept.compensated += _is_compensated(parameter, *states)

    def records(self, roots: Iterable[nn.Module]) -> tuple[Rounded, ...]:
        """Return what the parameters of each optimiser keep; ``roots`` have their names."""
        names = {id(p): name for root in roots for name, p in root.named_parameters()}
        return tuple(
            Rounded(
                optimizer=number,
                numbers=known.numbers,
                tensors=tuple(_tensors(known, names)),
                why=known.why_not,
            )
            for number, known in self._optimizers.items()
        )


def _is_small(tensor: Tensor) -> bool:
    return tensor.dtype in _SMALL


def _stepped(optimizer: Any, backwards: int) -> _Copy:
    """Let a copy of an optimiser step on copies of its parameters in float32."""
    memo: dict[int, Any] = {}
    other = copy.deepcopy(optimizer, memo)
    for name, value in vars(optimizer).items():  # PyTorch copies no others
        if name not in vars(other) and not callable(value):
            vars(other)[name] = copy.deepcopy(value, memo)
    pairs = []
    for parameter, copied in zip(held_by(optimizer), held_by(other), strict=True):
        gradient = Tensor.grad.__get__(parameter)
        copied.grad = None
        if _is_small(parameter):
            copied.data = copied.data.float()
            if gradient is not None:
                pairs.append((parameter, copied, parameter.detach().clone()))
        if gradient is not None:
            copied.grad = gradient.detach().to(copied.dtype, copy=True)
        state = other.state.get(copied, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and _is_small(value):
                state[name] = value.float()
    type(other).step(other)
    return _Copy(pairs, other.state, backwards)


def _add(kept: _Kept, parameter: Tensor, copied: Tensor, old: Tensor) -> None:
    """Add what an update has moved."""
    own, exact = (p.detach().double() - old.double() for p in (parameter, copied))
    kept.both += float((own * exact).sum())
    kept.own += float(exact.square().sum())
    kept.still += int(((exact != 0) & (own == 0)).sum())
    kept.moved += int((exact != 0).sum())
    kept.updates += 1


def _is_compensated(parameter: Tensor, state: Any, exact: Any) -> bool:
    """Return whether a state holds what was rounded away: it is zero where nothing is."""
    for name, value in state.items() if isinstance(state, Mapping) else ():
        other = exact.get(name)
        if isinstance(value, Tensor) and isinstance(other, Tensor):
            largest = float(value.abs().max()) if value.shape == parameter.shape else 0.0
            if largest and float(other.abs().max()) <= _ZERO * largest:
                return True
    return False


def _masters(parameters: list[Tensor]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield tensors in float32 that are, rounded, one of the parameters; and their numbers."""
    by_shape: dict[Any, list[Tensor]] = {}
    for parameter in parameters:
        by_shape.setdefault(parameter.shape, []).append(parameter)
    for thing in gc.get_objects():
        with suppress(Exception):  # a proxy that refers to nothing, say
            if isinstance(thing, Tensor) and thing.dtype == torch.float32:
                for parameter in by_shape.get(thing.shape, ()):
                    if torch.equal(thing.detach().to(parameter.dtype), parameter.detach()):
                        yield id(parameter), thing, thing.detach().clone()


def _tensors(known: _Optimizer, names: Mapping[int, str]) -> Iterator[RoundedTensor]:
    """Yield what each parameter keeps, but for those whose rests are kept elsewhere."""
    mastered = {
        place for place, master, old in known.masters or () if not torch.equal(master.detach(), old)
    }
    for place, kept in known.kept.items():
        parameter = kept.parameter()
        if parameter is None or place in mastered or 2 * kept.compensated > kept.updates:
            continue
        if kept.moved:
            yield RoundedTensor(
                name=names.get(place, ""),
                dtype=str(parameter.dtype).removeprefix("torch."),
                numbers=parameter.numel(),
                kept=kept.both / kept.own,
                still=kept.still / kept.moved,
                updates=kept.updates,
            )
