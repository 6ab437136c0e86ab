"""Log-ratios of two models before the first update: differences of log-probabilities of tokens.

Example: a policy begins as a copy of its reference.

    token = model(ids).log_softmax(-1).gather(2, labels)     of the policy, and of the reference
    ratio = (token * mask).sum(1) - reference_token.sum(1)   0, as both are the same function

A call has a number; the results of functions of its outputs have that number, too. A difference is
a ratio if each side comes from one call, by a choice of the log-probabilities of some tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.observe.source_line import asked_at
from symmetry.torch.watch.calls import is_plain
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.events import Ratio

_CHOOSING = {"gather", "take_along_dim"}
_LOSSES = {"cross_entropy", "nll_loss"}
_SUBTRACTING = {"sub", "__sub__", "subtract"}


class _Origin(NamedTuple):
    """The calls that a tensor comes from, and how far it is a log-probability of tokens."""

    calls: frozenset[int]
    is_logarithm: bool = False  # of the probabilities of all tokens
    is_chosen: bool = False  # of given tokens


class Ratios:
    """Follows what models return up to differences of log-probabilities.

    Parameters
    ----------
    updates
        Returns how many updates there were.
    """

    def __init__(self, updates: Callable[[], int]) -> None:
        self._updates = updates
        self._origins = WeakIdKeyDictionary()
        self._models: dict[int, nn.Module] = {}  # by call
        self.records: list[Ratio] = []

    def called(self, number: int, model: nn.Module, returned: Iterable[Tensor]) -> None:
        """See a call of a model by its number."""
        if not self._updates():
            self._models[number] = model
            for tensor in returned:
                self._origins[tensor] = _Origin(frozenset({number}))

    def see_function(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """See the result of a function of PyTorch."""
        if not self._models or self._updates() or not is_plain():
            return
        given = [self._origins[t] for t in tensors_in((args, kwargs)) if t in self._origins]
        if not given:
            return
        name = func.__name__
        logarithm = any(each.is_logarithm for each in given)
        chosen = any(each.is_chosen for each in given)
        origin = _Origin(
            frozenset[int]().union(*(each.calls for each in given)),
            logarithm or name == "log_softmax",
            chosen or name == "cross_entropy" or (logarithm and _chooses(name, args)),
        )
        for tensor in tensors_in(result):
            self._origins[tensor] = origin
        if name in _SUBTRACTING and len(given) == 2 and all(each.is_chosen for each in given):
            self._compare(given[0], given[1], args[0], result)

    def _compare(self, one: _Origin, other: _Origin, minuend: Any, difference: Any) -> None:
        """Note a difference of the log-probabilities of two calls with the same parameters."""
        if len(one.calls) != 1 or len(other.calls) != 1 or one.calls == other.calls:
            return
        (first,), (second,) = one.calls, other.calls
        if _are_equal(self._models[first], self._models[second]):
            largest, size = (float(t.detach().abs().max()) for t in (difference, minuend))
            self.records.append(
                Ratio(at=asked_at(), calls=(first, second), largest=largest, size=size)
            )


def _chooses(name: str, args: Sequence[Any]) -> bool:
    """Return whether a function takes one entry of each row."""
    if name in _CHOOSING | _LOSSES:
        return True
    indices = args[1] if name == "__getitem__" and len(args) > 1 else ()
    last = indices[-1] if isinstance(indices, tuple) and indices else None
    return isinstance(last, Tensor) and last.dtype is torch.int64


def _are_equal(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two models have the same parameters."""
    pairs = zip(one.parameters(), other.parameters(), strict=False)
    number = len([*one.parameters()])
    return one is other or (
        number == len([*other.parameters()])
        and all(p.shape == q.shape and torch.equal(p.detach(), q.detach()) for p, q in pairs)
    )
