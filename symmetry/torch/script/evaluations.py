"""Evaluations, calls of models without gradients, which may be cut short.

Example: evaluations before the first update, in each of 70 runs of a script.

    with torch.no_grad():
        for x, y in validation:                     it ends after two batches
            losses.append(loss(model(x), y))
        for _ in range(200):
            model(some_batch())                     two calls are computed; the others return
                                                    the result of the second one

They are cut if the script takes the same steps then, bit by bit: ``Script`` compares two runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from symmetry.base.calls import running
from symmetry.base.user_code import user_place

_COMPUTED = 2  # batches of a loader; calls between two updates with arguments of the same shapes
_DEAR = 1.0  # CPU seconds of a run that may be saved
_PLAIN = (bool, int, float, str, type(None))


class _Call(NamedTuple):
    module: nn.Module  # which keeps its id from being used again
    times: int = 0
    result: Any = None  # once it is to be repeated

    def followed_by(self, result: Any) -> _Call:
        """Return the next call, which has returned this."""
        keeps = self.times + 1 == _COMPUTED and _is_plain(result)
        return _Call(self.module, self.times + 1, _copied(result) if keeps else self.result)


class Evaluations:
    """The evaluations in one run of a script.

    Parameters
    ----------
    cut
        Whether they are cut short.

    Attributes
    ----------
    inside
        Whether a model is being called.
    """

    def __init__(self, *, cut: bool) -> None:
        self.inside = False
        self._cut = cut
        self._saves = 0.0  # CPU seconds, if they are cut
        self._last: float | None = None  # the time of the last call or batch, if it may be cut
        self._calls: dict[Hashable, _Call] = {}  # since the last update

    def call(self, compute: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Return what a model returns, or what it has returned before for such arguments."""
        key = _key(module, args, kwargs)
        known = self._calls.get(key, _Call(module))
        if known.result is not None and self._cut:
            return _copied(known.result)
        with self._counted():
            result = compute(module, *args, **kwargs)
        self._note(may_cut=known.result is not None)
        if key is not None:
            self._calls[key] = known.followed_by(result)
        return result

    def ends(self, iterator: Any) -> bool:
        """Return whether a loader's iterator, asked for a batch now, ends before its end."""
        may_cut = not torch.is_grad_enabled() and iterator._num_yielded >= _COMPUTED
        self._note(may_cut=may_cut)
        return may_cut and self._cut

    def _note(self, *, may_cut: bool) -> None:
        """Add up the time since the last call or batch, if both may be cut."""
        now = time.process_time()
        if may_cut and self._last is not None:
            self._saves += now - self._last
        self._last = now if may_cut else None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a call, and the seconds that it takes."""
        running.evaluates = running.evaluates or user_place(outside=nn.Module)
        began, self.inside = time.perf_counter(), True
        try:
            yield
        finally:
            self.inside = False
            running.evaluations += 1
            running.evaluated += time.perf_counter() - began

    @property
    def are_dear(self) -> bool:
        """Whether they are worth cutting."""
        return self._saves > _DEAR

    def forget(self) -> None:
        """Compute calls anew, behind an update."""
        self._calls.clear()
        self._last = None


def _key(module: nn.Module, args: Any, kwargs: Any) -> Hashable | None:
    """Return what calls have in common that may return the same; None for arguments that change."""
    leaves, tree = tree_flatten((args, kwargs))
    if not _is_plain(leaves):
        return None
    kinds = ((x.shape, x.dtype) if isinstance(x, Tensor) else (type(x), x) for x in leaves)
    return id(module), module.training, str(tree), *kinds


def _is_plain(result: Any) -> bool:
    return all(isinstance(leaf, (Tensor, *_PLAIN)) for leaf in tree_flatten(result)[0])


def _copied(result: Any) -> Any:
    return tree_map(lambda x: x.clone() if isinstance(x, Tensor) else x, result)
