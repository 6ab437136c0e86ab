"""One rank's run of a script: what it holds, loads and draws, and the gradients of its update.

It has a process of its own, which ends with it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data.dataloader import _BaseDataLoaderIter

from symmetry.base.patches import outermost, patched
from symmetry.observe.source_line import users_line
from symmetry.torch.modes.noise import MEANS
from symmetry.torch.script.epochs.log import digest_of
from symmetry.torch.state import as_array
from symmetry.torch.watch.operations import Observer, Operation, Recorder
from symmetry.torch.watch.steps import updates
from symmetry.training.capabilities.model import Optimizing
from symmetry.training.capabilities.platform import Replicated
from symmetry.training.rank_runs import Draw, RankRun
from symmetry.training.run import needed
from symmetry.training.target import Training
from symmetry.units.state import Array

_SHARED = ["normal", "rand", "randn", "random", "random_sample", "standard_normal", "uniform"]
_OWN = ["normal", "random", "standard_normal", "uniform"]
See = Callable[[Any], None]


@contextmanager
def seeing_noise(see: See) -> Iterator[None]:
    """Call a function with each noise that is drawn while the block runs.

    Noise has a fraction; orders and indices have none.

        with seeing_noise(see):
            numpy.random.normal(size=3)                     see(array of 3 numbers)
            numpy.random.default_rng(0).normal(size=3)      see(array of 3 numbers)
            numpy.random.permutation(3)                     not seen

    These are the generators that ``default_rng`` makes in the block, and the shared one.
    """

    class Seen(np.random.Generator):
        """A generator whose noise is seen."""

    for name in _OWN:
        setattr(Seen, name, _seen(getattr(np.random.Generator, name), see))
    make = np.random.default_rng
    made = wraps(make)(lambda *args, **kwargs: Seen(make(*args, **kwargs).bit_generator))
    shared = [(np.random, name, _seen(getattr(np.random, name), see)) for name in _SHARED]
    with patched([*shared, (np.random, "default_rng", made)]):
        yield


def _seen(draw: Callable[..., Any], see: See) -> Callable[..., Any]:
    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        result = draw(*args, **kwargs)
        see(result)
        return result

    return drawn


_SMALLEST = 8  # numbers that are drawn for samples: a coin or a seed takes fewer
# Modules that wrap another one, perhaps on several ranks only: ``if world > 1: m = DDP(m)``.
_WRAPPER = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod|_fsdp_wrapped_module)\.")
_KEPT = 24  # batches
_SEED = 1234


class RankObserver(Observer):
    """Observes the run of one rank.

    Parameters
    ----------
    given
        Batches in place of those that the loaders make; None leaves these. Before each of them all
        generators get a seed that ranks share.
    repeats
        How often each of them is given.
    draw
        The number of a run that rounds each operation in another way; None for one as it is.
    """

    def __init__(
        self, given: list[Any] | None = None, repeats: int = 1, draw: int | None = None
    ) -> None:
        self.batches: list[Any] = []  # the first batches of the loaders
        self._given, self._repeats, self._draw = given, repeats, draw
        self._number = 0  # of the next batch
        self._draws: list[Draw] = []
        self._inside = 0  # calls of modules
        self._inputs = ""
        self._replicates = self._gathers = False
        self._rows: list[int] = []  # of the batches of the loaders
        self._backwards = 0
        self._names: dict[int, str] = {}
        self._gradients: dict[str, Array] = {}
        self._first = True  # whether the first update has not come
        self._is_stepping = False

    def run(self, training: Training, steps: int) -> RankRun:
        """Run a training for some updates; return what was observed."""
        training.begin()  # a script rehearses its first step once: that is no part of its run
        with self._observing():
            run = training.begin()
            if self._draw is not None:
                run.round_by(self._draw)
            self._names = {id(p): _WRAPPER.sub("", name) for name, p in run.parameters.items()}
            copies = needed(run, Replicated)
            parameters = [copies.digests()]
            optimizers = needed(run, Optimizing).optimizers.values()
            held = [name for each in optimizers for name in each.rates()]
            trained = {name: _WRAPPER.sub("", name.removeprefix("model.")) for name in held}
            for _ in range(steps):
                self._is_stepping = True
                with Recorder(self):
                    run.step()
                self._is_stepping = False
                self._first = False
                parameters.append(copies.digests())
        loaded = tuple(map(digest_of, self.batches))
        draws, gradients = tuple(self._draws), self._gradients
        return RankRun(
            parameters=tuple(parameters),
            trained=trained,
            loaded=loaded,
            rows=tuple(self._rows),
            draws=draws,
            replicates=self._replicates,
            gathers=self._gathers,
            inputs=self._inputs,
            backwards=self._backwards,
            gradients=gradients,
        )

    def after(self, operation: Operation) -> None:
        """Keep what is drawn outside of all modules."""
        if not self._inside and operation.base in MEANS:
            self._see_draw(operation.results[0])

    def _see_draw(self, noise: torch.Tensor) -> None:
        if noise.numel() >= _SMALLEST:
            self._draws.append(Draw(users_line(), digest_of(noise)))

    @contextmanager
    def _observing(self) -> Iterator[None]:
        following, call = _BaseDataLoaderIter.__next__, nn.Module._call_impl
        backward, gather = torch.autograd.backward, distributed.all_gather

        def next_batch(iterator: Any) -> Any:
            batch = following(iterator)
            if len(self.batches) < _KEPT:
                self.batches.append(_copied(batch))
                self._rows.append(_rows_of(batch))
            return batch if self._given is None else self._next_given(self._given)

        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if not self._inside and torch.is_grad_enabled():
                self._inputs = self._inputs or digest_of((args, kwargs))
            self._replicates |= isinstance(module, DistributedDataParallel)
            self._inside += 1
            try:
                return call(module, *args, **kwargs)
            finally:
                self._inside -= 1

        def counted(*args: Any, **kwargs: Any) -> None:
            backward(*args, **kwargs)
            self._backwards += self._first

        def gathered(tensor_list: Any, tensor: Any, *args: Any, **kwargs: Any) -> Any:
            self._gathers |= self._first and tensor.is_floating_point() and tensor.ndim > 1
            return gather(tensor_list, tensor, *args, **kwargs)

        def drawn(noise: Any) -> None:
            if self._is_stepping and not self._inside and isinstance(noise, np.ndarray):
                self._see_draw(torch.from_numpy(noise))

        def keep(optimizer: Any) -> None:
            for group in optimizer.param_groups if self._first else ():
                for parameter in group["params"]:
                    if parameter.grad is not None and id(parameter) in self._names:
                        name = self._names[id(parameter)]
                        self._gradients[name] = as_array(parameter.grad)

        patches = (
            (_BaseDataLoaderIter, "__next__", next_batch),
            (nn.Module, "_call_impl", called),
            (torch.autograd, "backward", outermost(backward, counted)),
            (distributed, "all_gather", gathered),
        )
        with patched(patches), updates(keep), seeing_noise(drawn):
            yield

    def _next_given(self, given: list[Any]) -> Any:
        """Return the next of the batches that all ranks are given; the last one again behind it."""
        number = min(self._number // self._repeats, len(given) - 1)
        self._number += 1
        torch.manual_seed(_SEED + number)
        np.random.seed(_SEED + number)
        random.seed(_SEED + number)
        return _copied(given[number])


def _rows_of(batch: Any) -> int:
    """Return how many samples a batch has, as far as its first tensor has them as rows."""
    tensors = (leaf for leaf in tree_leaves(batch) if isinstance(leaf, torch.Tensor) and leaf.ndim)
    return next((len(tensor) for tensor in tensors), 0)


def _copied(batch: Any) -> Any:
    return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, batch)
