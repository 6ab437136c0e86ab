"""Two workers of a loader, emulated in this process: copies of its data set, each with its seed.

Two workers may share the numbers of a random generator that the data set draws from.

    before   0: a   1: a        rng is in the same state in both workers, and draws new numbers for
    read     0: b   1: b        each reading: both workers draw the same ones
    again    0: c   1: c

A generator that is seeded for each sample is in one state after both readings: it is not judged.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import IterableDataset
from torch.utils.data._utils import worker

from symmetry.base.randomness.generators import kept, seed_all, shared, states_of
from symmetry.torch.objects import GENERATORS
from symmetry.torch.state import bytes_of
from symmetry.torch.watch.operations import tensors_in

States = Mapping[str, Sequence[str]]


def of_data(data: Any, copies: Iterable[Any]) -> dict[str, Any]:
    """Return the generators that a data set can draw from, by name.

    ``copies`` are the objects that were copied with it, and so were their generators. Those among
    the globals of its class are not copied here, though a worker has copies of them.
    """
    found: dict[str, Any] = {
        "random": random,
        "numpy.random": np.random,
        "torch": torch.default_generator,
    }
    for owner in copies:
        _add(found, f"{type(owner).__name__}.", getattr(owner, "__dict__", {}))
    method = getattr(type(data), "__getitem__", None)
    _add(found, "", getattr(method, "__globals__", {}))
    return found


def _add(found: dict[str, Any], prefix: str, names: Mapping[str, Any]) -> None:
    for name, each in [*names.items()]:
        known = any(each is other for other in found.values())
        if isinstance(each, GENERATORS) and not isinstance(each, random.SystemRandom) and not known:
            found[f"{prefix}{name}"] = each


def drawn_alike(one: States, other: States) -> tuple[str, ...]:
    """Return the generators from which two workers draw the same numbers, by their states."""
    return tuple(
        name
        for name, states in one.items()
        if states == other.get(name) and all(a != b for a, b in pairwise(states))
    )


_ITEMS, _SAMPLES = 8, 3  # of an iterable data set; of another one
_SEED = 1000  # of worker 0; PyTorch gives worker k the next ones
_LARGE = 1 << 28  # bytes of tensors in a data set that is not copied


@dataclass(frozen=True)
class Emulation:
    """The result of a comparison of two workers of a loader."""

    # "numbers" if they draw the same random numbers, "samples" if each yields the same samples, and
    # empty otherwise.
    shared: str = ""
    why: str = ""  # why they cannot be compared
    # The generators from which they draw the same numbers, by name, as far as known.
    generators: tuple[str, ...] = ()


def emulated(loader: Any) -> Emulation:
    """Compare two workers of a loader."""
    if loader.num_workers < 2:
        return Emulation(why="it has fewer than two workers")
    if _bytes_in(loader.dataset) > _LARGE:
        return Emulation(why="its data set is too large to be copied")
    try:
        with kept(shared()):
            if isinstance(loader.dataset, IterableDataset):
                return _compared_streams(loader)
            return _compared(loader)
    except Exception as error:  # a data set of the user's may do anything
        why = f"its data set cannot be copied and read ({type(error).__name__})"
        return Emulation(why=why)


def _compared_streams(loader: Any) -> Emulation:
    first, second = (_Worker(loader, number).read(_items, 1)[0] for number in (0, 1))
    if first and first == second and len(set(first)) > 1:
        return Emulation("samples")
    return Emulation()


def _compared(loader: Any) -> Emulation:
    one, other = (_Worker(loader, number) for number in (0, 1))
    (first, again), found = (each.read(_some, 2) for each in (one, other))
    alike = drawn_alike(one.states, other.states)
    if alike or (first != again and found == [first, again]):
        return Emulation("numbers", generators=alike)
    return Emulation(why="its samples are not drawn at random" if first == again else "")


def _items(data: Any) -> list[str]:
    return [_key(item) for item in islice(iter(data), _ITEMS)]


def _some(data: Any) -> list[str]:
    return [_key(data[index]) for index in range(min(_SAMPLES, len(data)))]


class _Worker:
    """A worker of a loader, with its own copy of the data set and its own seeds."""

    def __init__(self, loader: Any, number: int) -> None:
        self._loader, self._number = loader, number
        copies: dict[int, Any] = {}
        self._data = copy.deepcopy(loader.dataset, copies)  # as a fork copies everything
        self._generators = of_data(self._data, copies.values())
        # By generator its states: before its samples are read, and after each reading.
        self.states: dict[str, list[str]] = {name: [] for name in self._generators}

    def read(self, reading: Callable[[Any], list[str]], times: int) -> list[list[str]]:
        """Return what is read from the data set, again and again."""
        found = []
        with kept([*self._generators.values()]), self._inside():
            self._note_states()
            for _ in range(times):
                found.append(reading(self._data))
                self._note_states()
        return found

    def _note_states(self) -> None:
        for name, state in zip(self.states, states_of(self._generators.values()), strict=True):
            self.states[name].append(_key(state))

    @contextmanager
    def _inside(self) -> Iterator[None]:
        loader, seed = self._loader, _SEED + self._number
        facts = {"id": self._number, "num_workers": loader.num_workers, "seed": seed}
        info = worker.WorkerInfo(dataset=self._data, **facts)
        with patch.object(worker, "_worker_info", info):
            seed_all(seed)
            if loader.worker_init_fn is not None:
                loader.worker_init_fn(self._number)
            yield


def _key(sample: Any) -> str:
    """Return the numbers of a sample, which distinguish it from others."""
    return repr([_numbers(leaf) for leaf in tree_leaves(sample)])


def _numbers(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return bytes_of(leaf)
    if isinstance(leaf, np.ndarray):
        return leaf.tobytes()
    text = repr(leaf)
    return type(leaf).__name__ if " at 0x" in text else text


def _bytes_in(data: Any) -> int:
    held = tensors_in([*vars(data).values()]) if hasattr(data, "__dict__") else []
    arrays = [a for a in getattr(data, "__dict__", {}).values() if isinstance(a, np.ndarray)]
    bytes_of_tensors: int = sum(t.numel() * t.element_size() for t in held)
    bytes_of_arrays: int = sum(array.nbytes for array in arrays)
    return bytes_of_tensors + bytes_of_arrays
