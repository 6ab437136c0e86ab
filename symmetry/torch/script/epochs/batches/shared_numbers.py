"""The random generators that a data set can draw from, and which of them two workers share.

    before   0: a   1: a        rng is in the same state in both workers, and draws new numbers for
    read     0: b   1: b        each reading: both workers draw the same ones
    again    0: c   1: c

A generator that is seeded for each sample is in one state after both readings: it is not judged.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from symmetry.torch.objects import GENERATORS

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
