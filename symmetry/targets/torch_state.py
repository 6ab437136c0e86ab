"""The state of a run: every floating-point tensor that its objects hold, by name.

    model.fc1.weight             parameters and buffers, as ``named_parameters`` calls them
    optimizer.exp_avg.fc1.weight what an optimiser keeps for a parameter
    optimizer.held.0             a parameter that only an optimiser holds
    ema.fc1.weight               what an averaged model or another extra holds

Of several optimisers without a name the second is ``optimizer2``. A vector that an optimiser keeps
over all of its parameters, as LBFGS does, is one array for each parameter.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from symmetry.targets.torch_objects import Objects
from symmetry.units.state import Array, State
from symmetry.units.units import Units

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.")


def tensors_of(objects: Objects) -> dict[str, Tensor]:
    """Return the tensors themselves, each once: writing into one changes the object."""
    found: dict[str, Tensor] = {}
    seen: dict[int, Tensor] = {}  # which keeps them, so that no two have the same number
    for name, tensor in _all(objects):
        if tensor.is_floating_point() and id(tensor) not in seen and tensor.layout is torch.strided:
            seen[id(tensor)] = tensor
            found.setdefault(name, tensor.detach())
    return found


def parameters_of(objects: Objects) -> dict[str, nn.Parameter]:
    """Return the parameters under the names of ``tensors_of``: the objects, with their gradients.

    Those of the model come first, then those that only an optimiser holds.
    """
    named: dict[int, tuple[str, Any]] = {}
    for name, parameter in objects.model.named_parameters():
        named.setdefault(id(parameter), (f"model.{unwrapped(name)}", parameter))
    for owner, optimizer in objects.optimizers.items():
        held = 0
        for parameter in held_by(optimizer):
            if id(parameter) not in named:
                named[id(parameter)] = (f"{owner}.held.{held}", parameter)
                held += 1
    return dict(named.values())


def held_by(optimizer: Any) -> list[Any]:
    """Return the parameters of an optimiser, those of all groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def as_array(tensor: Tensor) -> Array:
    """Return a copy. Numbers of 16 bits are exact in the float32 that they become."""
    dtype = torch.float64 if tensor.dtype == torch.float64 else torch.float32
    array: Array = tensor.detach().cpu().to(dtype, copy=True).contiguous().numpy()
    return array


def write(tensor: Tensor, array: Array) -> None:
    """Write an array's values into a tensor of the same shape."""
    with torch.no_grad():
        tensor.detach().copy_(torch.as_tensor(array))


def unwrapped(name: str) -> str:
    """Return a parameter's name without what compiling or sharding puts into it."""
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def with_followers(units: Units, state: State, copies: Mapping[str, str]) -> Units:
    """Add to units of a model the parts in what optimisers and extras keep for its arrays.

    An array belongs to the parameter whose name ends its own, or of which it is a copy. It has the
    same shape, or 1 along some axes, or lacks one axis: sums over an axis, as Adafactor keeps.
    """
    parts = list(units.parts)
    known = {part.array for part in parts}
    for name, array in state.items():
        owner = copies.get(name) or owner_of(name, state)
        if owner is None or name in known:
            continue
        axes = _axes(state[owner].shape, array.shape)
        parts += [
            replace(
                part,
                array=name,
                axis=axes[part.axis],
                where=tuple((axes[axis], a, b) for axis, a, b in part.where if axis in axes),
            )
            for part in units.parts
            if part.array == owner and part.axis in axes
        ]
    return Units(units.name, units.count, tuple(parts))


def frozen_copies(start: State, trainable: Collection[str]) -> dict[str, str]:
    """Return which arrays of a model are copies of others at the start, by the others' names.

    They are what nobody trains and what has the bits of a trainable parameter: a target network, a
    momentum encoder. Modules are copied as a whole, so one such array tells of its neighbours.
    """
    frozen = [n for n in start if n.startswith("model.") and n not in trainable]
    marks = {_mark(start[n]): n for n in trainable if frozen and _tells(start[n])}
    prefixes: dict[str, str] = {}
    for name in frozen:
        owner = marks.get(_mark(start[name])) if _tells(start[name]) else None
        if owner is not None:
            ours, others = name.split("."), owner.split(".")
            while ours and others and ours[-1] == others[-1]:
                ours.pop()
                others.pop()
            prefixes[".".join(ours)] = ".".join(others)
    found: dict[str, str] = {}
    for prefix, other in prefixes.items():
        for name in frozen:
            owner = other + name.removeprefix(prefix)
            inside = name.startswith(f"{prefix}.") and owner in start
            if inside and start[owner].shape == start[name].shape:
                found[name] = owner
    return found


def _mark(array: Array) -> tuple[tuple[int, ...], bytes]:
    return array.shape, hashlib.blake2b(array.tobytes()).digest()


def _tells(array: Array) -> bool:
    """Return whether an array is no constant, as many others are."""
    return array.size > 1 and bool((array != array.flat[0]).any())


def comparable(name: str, state: State) -> bool:
    """Return whether it is known how the units of a parameter lie in an array that follows it.

    It is not where an optimiser keeps a square matrix over one axis of a parameter, say.
    """
    owner = owner_of(name, state)
    if owner is None:
        return name.startswith("model.") or state[name].ndim == 0
    shape = state[name].shape
    axes = _axes(state[owner].shape, shape)
    return bool(math.prod(shape) == math.prod(shape[axis] for axis in axes.values()))


def owner_of(name: str, state: State) -> str | None:
    """Return the array of the model that another one follows, or None."""
    if name.startswith("model."):
        return None
    words = name.split(".")
    for start in range(1, len(words)):
        owner = "model." + ".".join(words[start:])
        if owner in state:
            return owner
    return None


def _axes(owner: tuple[int, ...], shape: tuple[int, ...]) -> dict[int, int]:
    """Return which axis of an array each axis of its owner is; axes of length 1 are left out."""
    if len(shape) == len(owner):
        return {axis: axis for axis, size in enumerate(owner) if shape[axis] == size}
    missing = [a for a in range(len(owner)) if owner[:a] + owner[a + 1 :] == shape]
    if len(missing) != 1:
        return {}
    kept = [axis for axis in range(len(owner)) if axis != missing[0]]
    return {axis: number for number, axis in enumerate(kept)}


def _all(objects: Objects) -> Iterator[tuple[str, Tensor]]:
    yield from _of_module("model", objects.model)
    parameters = parameters_of(objects)
    yield from parameters.items()
    names = {id(p): name.removeprefix("model.") for name, p in parameters.items()}
    for owner, optimizer in objects.optimizers.items():
        yield from _of_optimizer(owner, optimizer, names)
    for owner, extra in objects.extras.items():
        if isinstance(extra, nn.Module):
            yield from _of_module(owner, extra)
        else:
            state = extra if isinstance(extra, Mapping) else extra.state_dict()
            yield from _nested(owner, state)


def _of_module(owner: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    prefix = "module." if hasattr(module, "n_averaged") else ""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield f"{owner}.{unwrapped(name).removeprefix(prefix)}", tensor


def _of_optimizer(owner: str, optimizer: Any, names: Mapping[int, str]) -> Iterator[Any]:
    params = [p for p in held_by(optimizer) if id(p) in names]
    total = sum(p.numel() for p in params)
    for parameter, kept in optimizer.state.items():
        if not isinstance(parameter, Tensor):
            yield from _nested(f"{owner}.{parameter}", kept)
            continue
        for key, tensor in _nested("", kept):
            if tensor.ndim == 1 and tensor.numel() == total != parameter.numel():
                pieces = tensor.split([p.numel() for p in params])
                for p, piece in zip(params, pieces, strict=True):
                    yield f"{owner}{key}.{names[id(p)]}", piece.view(p.shape)
            else:
                yield f"{owner}{key}.{names.get(id(parameter), 'held')}", tensor


def _nested(owner: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield owner, value
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, inner in items:
        yield from _nested(f"{owner}.{key}", inner)
