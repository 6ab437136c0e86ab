"""The arrays of optimisers and extras that belong to arrays of the model, such as momenta."""

import hashlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from symmetry.units.state import Array, State
from symmetry.units.units import Part, Units

_ROUNDED = 1e-6  # relative: an average of two equal numbers in float32 differs less from them
_FIRST = 64  # entries that are compared before all others are


def with_optimizer_state(
    groups: Sequence[Units], state: State, copies: Mapping[str, str]
) -> tuple[Units, ...]:
    """Return groups of a model with their parts in the arrays of optimisers and extras.

    An array belongs to the parameter whose name ends its own, or of which it is a copy. It has the
    same shape, or 1 along some axes, or lacks one axis: sums over an axis, as Adafactor keeps.

    A copy that follows one array may lie in another group: the two then are one, as one moves the
    other.
    """
    owners = {name: copies.get(name) or owner_of(name, state) for name in state}
    owners = {name: copies.get(owner or "", owner) for name, owner in owners.items()}
    found: list[Units] = []
    for units in groups:
        parts = (
            part
            for name, owner in owners.items()
            for part in _followers(units, name, owner, state, copies)
        )
        joined = replace(units, parts=(*units.parts, *parts))
        for other in [o for o in found if {*o.parts} & {*joined.parts}]:
            found.remove(other)
            joined = replace(other, parts=tuple(dict.fromkeys(other.parts + joined.parts)))
        found.append(joined)
    return tuple(found)


def _followers(
    units: Units, name: str, owner: str | None, state: State, copies: Mapping[str, str]
) -> Iterator[Part]:
    """Yield where units lie in an array that follows another one."""
    if owner is None or name in units.arrays:
        return
    axes = _axes(state[owner].shape, state[name].shape)
    for part in units.parts:
        if owner in part.arrays:
            arrays = _beside(part.arrays, name, owner, copies)
            if name == next((array for array in arrays if array in state), None):  # each part once
                yield replace(part, array=arrays[0], arrays=arrays)
        elif part.array == owner and part.axis in axes and not part.arrays:
            within = tuple((axes[axis], a, b) for axis, a, b in part.within if axis in axes)
            yield replace(part, array=name, axis=axes[part.axis], within=within)


def _beside(
    whole: Sequence[str], name: str, owner: str, copies: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the arrays that follow units that are whole arrays, as one of them has its follower.

    Their names are built in the same way. Others may not be there yet: an optimiser keeps nothing
    for an expert that no sample chose. Copies may have any names, as the targets of twin critics
    have. The result is empty if one of the units has no copy.
    """
    ours, others = _heads(name, owner)
    if all(f"{array}.".startswith(f"{others}.") for array in whole):
        return tuple(ours + array.removeprefix(others) for array in whole)
    followers = ([copy for copy, of in copies.items() if of == array] for array in whole)
    return next((row for row in zip(*followers, strict=False) if name in row), ())


def _heads(name: str, other: str) -> tuple[str, str]:
    """Return two names without the words that both end in."""
    words, others = name.split("."), other.split(".")
    while words and others and words[-1] == others[-1]:
        words.pop()
        others.pop()
    return ".".join(words), ".".join(others)


def find_copies(start: State, trainable: Collection[str]) -> dict[str, str]:
    """Return which arrays are copies of a model's parameters at the start, by the latter's names.

    A copy is not trained and has the numbers of a trainable parameter: a target network, a momentum
    encoder, slow weights in a list, the master weights that an optimiser holds. It may be rounded
    once more: an average with these numbers may come before the first step. Modules are copied as a
    whole, so the neighbours of one such array are copies, too.
    """
    trained = [n for n in start if n in trainable and n.startswith("model.")]
    frozen = [n for n in start if n not in trained and owner_of(n, start) is None]
    found = {
        name: owner
        for name in frozen
        if _tells(start[name])
        for owner in trained
        if _is_copy(start[name], start[owner])
    }
    for prefix, other in dict.fromkeys(_heads(*pair) for pair in found.items()):
        for name in frozen:
            owner = other + name.removeprefix(prefix)
            inside = f"{name}.".startswith(f"{prefix}.") and owner in start
            if inside and start[owner].shape == start[name].shape:
                found.setdefault(name, owner)
    return found


def mark(array: Array) -> tuple[tuple[int, ...], bytes]:
    """Return a digest that only arrays with the same bits share."""
    return array.shape, hashlib.blake2b(array.tobytes()).digest()


def _is_copy(array: Array, other: Array) -> bool:
    """Return whether two arrays hold the same numbers, up to rounding if they are floats."""
    if array.shape != other.shape or array.dtype.kind != "f":
        return np.array_equal(array, other)
    pairs = (array.flat[:_FIRST], other.flat[:_FIRST]), (array, other)  # most differ at once
    return all(np.allclose(a, b, rtol=_ROUNDED, atol=0) for a, b in pairs)


def _tells(array: Array) -> bool:
    """Return whether an array is no constant, as many others are."""
    return array.size > 1 and bool((array != array.flat[0]).any())


def comparable(name: str, state: State, known: Collection[str]) -> bool:
    """Return whether it is known how units lie in an array, or in the parameter that it follows.

    Arrays outside of the model are ``known`` if some group has a part in them. Nothing is known
    where an optimiser keeps a square matrix over one axis of a parameter, say.
    """
    owner = owner_of(name, state) or name
    shape = state[name].shape
    if not owner.startswith("model.") and owner not in known:
        return not shape
    axes = _axes(state[owner].shape, shape)
    return bool(math.prod(shape) == math.prod(shape[axis] for axis in axes.values()))


def owner_of(name: str, state: State) -> str | None:
    """Return the array that another one follows, of the model or held by an optimiser, or None."""
    if name.startswith("model."):
        return None
    words = name.split(".")
    ends = [".".join(words[start:]) for start in range(1, len(words))]
    return next((o for end in ends for o in (f"model.{end}", end) if o in state), None)


def _axes(owner: tuple[int, ...], shape: tuple[int, ...]) -> dict[int, int]:
    """Return which axis of an array each axis of its owner is; axes of length 1 are left out."""
    if len(shape) == len(owner):
        return {axis: axis for axis, size in enumerate(owner) if shape[axis] == size}
    missing = [a for a in range(len(owner)) if owner[:a] + owner[a + 1 :] == shape]
    if len(missing) != 1:
        return {}
    kept = [axis for axis in range(len(owner)) if axis != missing[0]]
    return {axis: number for number, axis in enumerate(kept)}
