"""The calls of a step on rows of tokens: their arguments by name, and the rows in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from symmetry.torch.trials.first_calls import FirstCall
from symmetry.training.packing import Arguments


class TextCall:
    """A call of a module, with its tensors by name.

    Tensors in nested arguments have the name of their last key.
    """

    def __init__(self, call: FirstCall) -> None:
        self.call, self.module = call, call.module
        args, kwargs = call.arguments
        bound = dict(enumerate(args)) | kwargs
        with suppress(TypeError, ValueError):  # of a forward without a signature
            bound = _named(inspect.signature(self.module.forward), args, kwargs)
        self._named = {str(name): value for name, value in bound.items()}
        self._count = len(args)

    @property
    def arguments(self) -> Arguments:
        """The tensors, as arrays."""
        found: dict[str, Any] = {}
        self._mapped(lambda name, tensor: found.setdefault(name, tensor))
        return {
            name: tensor.detach().cpu().numpy()
            for name, tensor in found.items()
            if tensor.layout is torch.strided and tensor.dtype is not torch.bfloat16
        }

    def tensor(self, wanted: str) -> Tensor:
        """Return the tensor of a name."""
        found: dict[str, Tensor] = {}
        self._mapped(lambda name, tensor: found.setdefault(name, tensor))
        return found[wanted]

    def again(self, change: Callable[[str, Tensor], Tensor] | None = None) -> Any:
        """Call the module once more, with each of its tensors changed."""
        named = self._mapped(change or (lambda _, tensor: tensor.clone()))
        return self.call.again(self._as_given(named))

    def _mapped(self, change: Callable[[str, Tensor], Any]) -> Mapping[str, Any]:
        return {name: _changed(name, value, change) for name, value in self._named.items()}

    def _as_given(self, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = [*named]
        args = tuple(named[name] for name in names[: self._count])
        return args, {name: named[name] for name in names[self._count :]}


def _named(signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return arguments by name, those that are given by place first."""
    bound = signature.bind(*args, **kwargs).arguments
    parameters = [*signature.parameters.values()][: len(args)]
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        raise TypeError("its arguments have no names")
    return {each.name: bound[each.name] for each in parameters} | dict(kwargs)


def _changed(name: str, value: Any, change: Callable[[str, Tensor], Any]) -> Any:
    if isinstance(value, Tensor):
        return change(name, value)
    if isinstance(value, dict):
        return {key: _changed(str(key), each, change) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_changed(name, each, change) for each in value)
    return value
