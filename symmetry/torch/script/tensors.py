"""The tensors that a script trains and that no module holds: their names, their first uses.

Example: a network by hand, with updates by hand. In its first run nothing shows where a step
begins, since no module is called. The second backward ends that run: ``names_of`` finds the
variables of the tensors that it gives gradients to. Then the script is begun again.

    W = torch.randn(9, 4, requires_grad=True)
    for x, y in zip(xs, ys):
        loss = cross_entropy(x @ W, y)     FirstUse shows the product: it is given a leaf. found()
        loss.backward()                    gets the leaf "W" by its name; the script is suspended,
        W.data -= 0.1 * W.grad             and holder() is its model. The next product behind the
                                           backward begins the second step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from symmetry.torch.watch.operations import tensors_in

Path = tuple[str, ...]  # of a tensor: a variable, then attributes, keys and places

_DEPTH = 5
_MOST = 1000  # entries of a list that is looked through
_VIEWS = {getattr(torch.Tensor, name).__get__ for name in ("T", "H", "mT", "mH", "real", "imag")}


class FirstUse(TorchFunctionMode):
    """Shows functions before they are given a leaf that they keep for a backward.

    Parameters
    ----------
    see
        Gets the leaves. It returns whether the script was suspended there.
    """

    def __init__(self, see: Callable[[Sequence[Tensor]], bool]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_grad_enabled() and _computes(func):
            leaves = [t for t in tensors_in((args, kwargs)) if t.requires_grad and t.is_leaf]
            if leaves and self._see(leaves):
                # The modes were entered anew, and this one is not meant for its own function.
                torch._C._pop_torch_function_stack()
        return func(*args, **kwargs)


@cache
def _computes(func: Any) -> bool:
    """Return whether a function does more than to read or set an attribute, such as ``grad``.

    One that returns no tensor asks, as ``numel()`` does, and as ``model.to(device)`` does of each.
    """
    if func.__name__ in ("__get__", "__set__"):
        return func in _VIEWS
    named = getattr(torch.ops.aten, func.__name__, None)
    overloads = named.overloads() if isinstance(named, torch._ops.OpOverloadPacket) else ()
    schemas = [getattr(named, name)._schema for name in overloads]
    of_tensors = [s for s in schemas if s.arguments and str(s.arguments[0].type) == "Tensor"]
    returned = [str(each.type) for schema in of_tensors for each in schema.returns]
    return not returned or any("Tensor" in each for each in returned)


def names_of(tensors: Iterable[Tensor], scopes: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Return the paths of tensors in scopes, the first of which are looked through first.

    The variable that was made first has a tensor, since those of loops hold others at other times.
    In it ``0.weight`` comes before ``parameters.0``. A tensor that is in none is ``tensor.0``.
    """
    wanted = {id(tensor) for tensor in tensors}
    paths: dict[int, Path] = {}
    for scope in scopes:
        for name, value in scope.items():
            if len(paths) == len(wanted):
                break
            within = [(path, t) for path, t in _within((name,), value) if id(t) in wanted]
            for path, tensor in sorted(within, key=lambda found: found[0][-1].isdigit()):
                paths.setdefault(id(tensor), path)
    return [paths.get(id(tensor), ("tensor", str(n))) for n, tensor in enumerate(tensors)]


def _within(name: Path, value: Any) -> Iterator[tuple[Path, Tensor]]:
    """Yield the tensors in a variable with their paths, those of short paths first."""
    level, seen = [(name, value)], set[int]()
    for _ in range(_DEPTH):
        yield from ((path, each) for path, each in level if isinstance(each, Tensor))
        fresh = [(path, each) for path, each in level if id(each) not in seen]
        seen.update(id(each) for _, each in fresh)
        level = [((*path, name), part) for path, each in fresh for name, part in _parts(each)]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object of the script's own, a list or a dictionary holds, by name."""
    if isinstance(value, list | tuple | dict) and len(value) > _MOST:
        return
    if isinstance(value, list | tuple):
        yield from ((str(place), each) for place, each in enumerate(value))
    elif isinstance(value, dict):
        yield from ((str(key), each) for key, each in value.items())
    elif not isinstance(value, Tensor | nn.Module | ModuleType | type):
        yield from getattr(value, "__dict__", {}).items()


def found(paths: Sequence[Path], scopes: Sequence[Mapping[str, Any]]) -> dict[Path, Tensor]:
    """Return the leaves of these paths; nothing if one of them is not there yet."""
    leaves = {path: _leaf(path, scopes) for path in paths}
    there = {path: leaf for path, leaf in leaves.items() if leaf is not None}
    return there if len(there) == len(leaves) else {}


def _leaf(path: Path, scopes: Sequence[Mapping[str, Any]]) -> Tensor | None:
    """Return the leaf of a path, if one is there."""
    for scope in scopes:
        value = scope.get(path[0])
        for name in path[1:]:
            value = dict(_parts(value)).get(name)
        if isinstance(value, Tensor) and value.is_leaf and value.requires_grad:
            return value
    return None


def holder(tensors: Mapping[Path, Tensor]) -> nn.Module:
    """Return a module whose parameters are these tensors themselves, by their paths."""
    root = Tensors()
    for path, tensor in tensors.items():
        tensor._is_param = True  # so PyTorch takes it for a Parameter
        module: nn.Module = root
        for name in path[:-1]:
            if name not in module._modules:
                module.add_module(name, Tensors())
            module = module._modules[name]
        module.register_parameter(path[-1], tensor)
    return root


class Tensors(nn.Module):
    """Tensors that a script trains without a module."""
