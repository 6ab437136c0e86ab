"""Attributes that are set on objects that have only one of a similar name."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from symmetry.base.patches import Patch
from symmetry.base.user_code import is_user_code
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.script.epochs.log import Log
from symmetry.training.events import Misspelt

_OF_PARAMETERS = ("requires_grad",)
_SHORTEST = 4  # letters of a name that one edit does not make another one


@dataclass(frozen=True)
class _Suspect:
    """An attribute that was set, and the one that may be meant."""

    owner: Any
    name: str
    meant: str
    value: Any
    at: SourceLine


class Misspelling:
    """Looks at each attribute that the user's code sets on a parameter, module or optimiser.

    Whether what is there has the value is looked at when the next update comes: until then the
    script may set it as well.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._suspects: list[_Suspect] = []
        self._seen: set[tuple[SourceLine, str]] = set()

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        for kind, close in (
            (nn.Parameter, _close_to_parameter),
            (nn.Module, _close_to_module),
            (Optimizer, _close_to_optimizer),
        ):
            yield kind, "__setattr__", self._watched(kind.__setattr__, close)

    def _watched(
        self, setattribute: Callable[..., None], close: Callable[[Any, str], str]
    ) -> Callable[..., None]:
        def watched(owner: Any, name: str, value: Any) -> None:
            frame = sys._getframe(1)
            outside = (
                is_user_code(frame.f_code.co_filename) and frame.f_locals.get("self") is not owner
            )
            meant = close(owner, name) if outside and name[0] != "_" else ""
            setattribute(owner, name, value)
            if meant:
                self._suspects.append(_Suspect(owner, name, meant, value, asked_at()))

        return watched

    def look(self) -> None:
        """Tell of attributes that were set, whose neighbours have other values."""
        suspects, self._suspects = self._suspects, []
        for each in suspects:
            actual = _actual(each.owner, each.meant, each.value)
            key = each.at, each.name
            if actual is None or key in self._seen:
                continue
            self._seen.add(key)
            self._log.add(
                Misspelt,
                each.at,
                owner=_in_words(each.owner),
                name=each.name,
                meant=each.meant,
                value=repr(each.value)[:40],
                actual=actual,
            )


def _close_to_parameter(_: Any, name: str) -> str:
    return next((real for real in _OF_PARAMETERS if _one_edit(name, real)), "")


def _close_to_module(module: Any, name: str) -> str:
    """Return what is meant by an attribute of a module; what PyTorch made has no other ones."""
    if name in vars(module) or hasattr(type(module), name):
        return ""
    if name == "requires_grad":  # it is an attribute of parameters alone
        return name
    real = ["training"]
    if type(module).__module__.startswith("torch.nn."):
        real += [
            n for n, v in vars(module).items() if n[0] != "_" and isinstance(v, bool | int | float)
        ]
    return next((each for each in real if _one_edit(name, each)), "")


def _close_to_optimizer(optimizer: Any, name: str) -> str:
    """Return the option of an optimiser that is set on itself, not on its groups.

    One that no optimiser of PyTorch has is of the script's own class, and may be read from it.
    """
    here = name in getattr(optimizer, "defaults", {}) and not hasattr(type(optimizer), name)
    return name if here and name in _options() else ""


@functools.cache
def _options() -> frozenset[str]:
    """Return the names of all options of PyTorch's optimisers."""
    kinds = [each for each in vars(torch.optim).values() if isinstance(each, type)]
    kinds = [each for each in kinds if issubclass(each, Optimizer)]
    return frozenset(name for kind in kinds for name in inspect.signature(kind).parameters)


def _actual(owner: Any, meant: str, value: Any) -> str | None:
    """Return what the attribute that is meant has, if that is something else than the value."""
    if isinstance(owner, Optimizer):
        found = [group.get(meant) for group in owner.param_groups]
        return None if all(_same(each, value) for each in found) else repr(found[0])[:40]
    if isinstance(owner, nn.Module) and meant == "requires_grad":
        flags = {p.requires_grad for p in owner.parameters()}
        return None if flags <= {bool(value)} else repr(not value)
    found = getattr(owner, meant)
    return None if _same(found, value) else repr(found)[:40]


def _same(one: Any, other: Any) -> bool:
    return bool(one is other or (not isinstance(one, Tensor) and one == other))


def _in_words(owner: Any) -> str:
    kind = type(owner).__name__
    return (
        f"an optimiser ({kind})"
        if isinstance(owner, Optimizer)
        else ("a Parameter" if isinstance(owner, torch.nn.Parameter) else f"a module ({kind})")
    )


def _one_edit(name: str, real: str) -> bool:
    """Return whether one letter more, less or another one, or two exchanged, make them equal."""
    if name == real or min(len(name), len(real)) < _SHORTEST or abs(len(name) - len(real)) > 1:
        return False
    if name.lower() == real.lower():
        return True
    if len(name) == len(real):
        odd = [n for n, (a, b) in enumerate(zip(name, real, strict=True)) if a != b]
        if len(odd) == 2 and odd[1] == odd[0] + 1:
            return name[odd[0]] == real[odd[1]] and name[odd[1]] == real[odd[0]]
        return len(odd) == 1
    short, long = sorted((name, real), key=len)
    return any(long[:n] + long[n + 1 :] == short for n in range(len(long)))
