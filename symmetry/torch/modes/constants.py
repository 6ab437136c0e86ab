"""Constants of a run: tensors that no recorded operation computed from others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from symmetry.base.user_code import user_place
from symmetry.torch.modes.noise import MEANS
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.state import as_array, memory_of
from symmetry.torch.watch.operations import name_of, tensors_in, written_by
from symmetry.units.state import Array

_COPIES = {"_to_copy", "clone", "lift_fresh"}


@dataclass(eq=False)
class TorchConstant:
    """A tensor that was there before any operation on it, or that is drawn at random."""

    number: int  # among those of a run
    tensor: Tensor
    random: bool = False  # whether a step draws it
    name: str | None = None  # what the model or the extras call it; None if it is not theirs
    place: str = ""  # ``file:line`` where it was first read, and not only shown or copied
    forward: bool = False  # whether a forward reads it
    backward: bool = False
    inside: bool = False  # whether a module's forward reads it
    written: bool = False  # whether anything is written into it
    step: int = 0  # in which it was first read
    varies: bool = False  # whether what is read there is another one in other steps
    repeats: bool = False  # whether the same numbers are read there in several steps
    # By reading in this step that is not a backward's: how many backwards came before it.
    beside: list[int] = field(default_factory=list)

    @property
    def array(self) -> Array:
        """Its entries."""
        return as_array(self.tensor)

    def __str__(self) -> str:
        kind = "tensor that each step has anew," if self.varies else "fixed tensor"
        if self.random and self.repeats:
            kind = "tensor that each step draws from the same seed,"
        name = self.name or f"a {kind} of shape {self.array.shape}"
        return f"{name} (read at {self.place})"


class ConstantReads(TorchDispatchMode):
    """Records which constants a step reads, and where.

    They are numbered in the order in which they are seen: it is the same in all runs of a training.
    Those that are ``averaged`` are read as if they were the same all along some of their axes, or
    zero where there are no axes.
    """

    def __init__(
        self, inside: ModuleScope, averaged: Mapping[int, Sequence[int]] | None = None
    ) -> None:
        super().__init__()
        self._found: list[TorchConstant] = []
        self._inside, self._averaged = inside, averaged or {}
        # By memory: the number, None if it is not fixed, and what tells when it is given up.
        self._numbers: dict[int, tuple[int | None, StorageWeakRef]] = {}
        self._step = self._backwards = 0  # the latter of this step, so far
        self._in_backward = False

    def outside_forward(self, names: Mapping[str, Tensor]) -> list[TorchConstant]:
        """Return the constants that no forward reads: only a backward or an update does.

        Which tensors have a name is said by ``names``.
        """
        named = {memory_of(tensor): name for name, tensor in names.items()}
        found = [
            seen
            for seen in self._found
            if seen.place and not (seen.forward or seen.written)
            if seen.tensor.is_floating_point() or seen.tensor.dtype is torch.bool
        ]
        places: dict[str, list[list[Tensor]]] = {}  # what is read there, by step
        for seen in found:
            seen.name = named.get(memory_of(seen.tensor))
            here = places.setdefault(seen.place, [[] for _ in range(self._step)])
            here[seen.step].append(seen.tensor)
        read = {place: [*filter(None, steps)] for place, steps in places.items()}
        varying = {place for place, steps in read.items() if _vary(steps)}
        for seen in found:
            seen.varies = seen.place in varying
            seen.repeats = len(read[seen.place]) > 1 and not seen.varies
        return found

    def backward_begins(self) -> None:
        """Count reads from now on as the backward's."""
        self._in_backward = True

    def backward_ends(self) -> None:
        """Count reads from now on as a forward's if another backward comes."""
        self._in_backward = False
        self._backwards += 1

    def step_ends(self) -> None:
        """Separate the reads of forwards from those of the update; the next step begins.

        Without a backward, a forward is what modules do.
        """
        for seen in self._found:
            seen.forward |= any(n < self._backwards for n in seen.beside)
            seen.forward |= seen.inside and not self._backwards
            seen.beside.clear()
        self._step, self._backwards, self._in_backward = self._step + 1, 0, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        operands = [*filter(_plain, tensors_in((args, kwargs)))]
        known = {memory_of(tensor) for tensor in operands}
        seen = {n: self._found[n] for n in map(self._number, operands) if n is not None}
        shows = func.is_view or name in _COPIES
        for each in () if shows else seen.values():
            self._note(each)
        targets = [*filter(_plain, written_by(func, args, kwargs))]
        for tensor in targets:
            if (number := self._number(tensor)) is not None:
                self._found[number].written |= not self._found[number].random or len(operands) > 1
        if not self._averaged.keys().isdisjoint(seen):
            own, seen = {id(tensor) for tensor in targets}, {}
            args, kwargs = tree_map(
                lambda v: v if id(v) in own else self._as_read(v), (args, kwargs)
            )
        result = func(*args, **kwargs)
        random = name.rstrip("_") in MEANS
        for tensor in filter(_plain, tensors_in(result)):
            if random:
                self._add(tensor, random=True)
            elif memory_of(tensor) not in known:
                self._know(tensor, next(iter(seen), None) if shows else None)
        return result

    def _number(self, tensor: Tensor) -> int | None:
        number, given_up = self._numbers.get(memory_of(tensor), (None, None))
        if given_up is None or given_up.expired():
            self._add(tensor)
            return len(self._found) - 1
        return number

    def _add(self, tensor: Tensor, *, random: bool = False) -> None:
        self._know(tensor, len(self._found))
        self._found.append(TorchConstant(len(self._found), tensor, random))

    def _know(self, tensor: Tensor, number: int | None) -> None:
        self._numbers[memory_of(tensor)] = number, StorageWeakRef(tensor.untyped_storage())

    def _note(self, seen: TorchConstant) -> None:
        if not seen.place:
            seen.place, seen.step = user_place(), self._step
        if self._in_backward:
            seen.backward = True
        else:
            seen.beside.append(self._backwards)
            seen.inside |= self._inside.depth > 0

    def _as_read(self, value: Any) -> Any:
        """Return an operand, averaged on request: it may show a part of a constant."""
        number = self._number(value) if _plain(value) else None
        if number is None or number not in self._averaged:
            return value
        tensor, axes = self._found[number].tensor, [*self._averaged[number]]
        if max(axes, default=-1) >= tensor.ndim:  # a run that has taken another way
            return value
        memory = tensor.untyped_storage().clone()
        whole = _shown(memory, tensor)
        size = tensor.double().square().mean(axes, keepdim=True).sqrt()
        whole.copy_(size if axes else torch.zeros_like(tensor))
        return _shown(memory, value)


def _vary(steps: Sequence[Sequence[Tensor]]) -> bool:
    """Return whether other numbers are read in other steps, in the same order."""
    return any(
        one.dtype != other.dtype or not torch.equal(one, other)
        for tensors in zip(*steps, strict=False)
        for one, other in pairwise(tensors)
    )


def _shown(memory: torch.UntypedStorage, like: Tensor) -> Tensor:
    """Return a memory as a tensor that lies in it as another one lies in its own."""
    empty = torch.empty(0, dtype=like.dtype, device=like.device)
    return empty.set_(memory, like.storage_offset(), like.shape, like.stride())


def _plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and value.numel() > 0
