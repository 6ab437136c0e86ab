"""Which tokens are padding, as a step shows it: by what it masks, by lengths, or by their places.

Example: attention that leaves the token 0 out.

    tokens    5 9 2 7     keep = tokens != 0      where(keep[:, None], scores, -1e9)
              8 4 0 0

Nothing has to be named: ``keep`` may as well be an input, or compare places with lengths. A mask is
known by its values: it hides the ends of rows, which hold one token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.interpreter import kind_of
from symmetry.jax.probes.provenance import SHAPES, source
from symmetry.training.texts import padding_by_mask, padding_by_number
from symmetry.units.state import Array

_FAR = 1e3  # a number that far below zero, added to a score, hides it

_Hides = Callable[[Array], Array]
# Where each operation hides what it is done with, by the entries of the operand that is no score.
_HIDING: dict[str, Sequence[_Hides]] = {
    "mul": (lambda mask: mask == 0,) * 2,
    "dot_general": (lambda mask: mask == 0,) * 2,
    "add": (lambda mask: mask < -_FAR,) * 2,
    "sub": (lambda _: np.zeros(1, bool), lambda mask: mask > _FAR),
}


@dataclass(frozen=True)
class Mask:
    """An operand that may mask what depends on parameters."""

    atom: Any
    hides: _Hides  # which of its entries hide

    def padding(self, tokens: Array, value: Any) -> Array | None:
        """Return which tokens it hides if they are padding, by its entries."""
        hidden = self.hides(np.asarray(value))
        batch, length = tokens.shape
        for rows, places in permutations(range(hidden.ndim), 2):
            if (hidden.shape[rows], hidden.shape[places]) == (batch, length):
                others = tuple({*range(hidden.ndim)} - {rows, places})
                each = np.asarray(hidden.all(others))
                found = _varying(tokens, ~(each if rows < places else each.T))
                if found is not None:
                    return found
        return None


def masks(forward: Forward, outputs: Sequence[Any], shape: tuple[int, int]) -> list[Mask]:
    """Return what may mask tokens of this shape before outputs, each once."""
    found: dict[int, Mask] = {}
    for number in sorted(forward.ancestors(outputs)):
        for mask in _masks_of(forward, forward.equations[number]):
            sizes, origin = [*mask.atom.aval.shape], source(forward, mask.atom, SHAPES)
            fits = all(sizes.count(n) >= shape.count(n) for n in shape)
            if fits and not isinstance(origin, Literal):
                found.setdefault(id(origin), mask)
    return [*found.values()]


def _masks_of(forward: Forward, equation: Any) -> Iterator[Mask]:
    name, atoms = equation.primitive.name, equation.invars
    trained = [forward.is_trained(atom) for atom in atoms]
    if name == "select_n" and len(atoms) == 3 and not trained[0] and trained[1] != trained[2]:
        shown = trained.index(True) - 1
        yield Mask(atoms[0], lambda chosen: chosen.astype(int) != shown)
    elif name in _HIDING and trained[0] != trained[1]:
        position = trained.index(False)
        yield Mask(atoms[position], _HIDING[name][position])


def lengths(forward: Forward, inputs: Sequence[Any], first: int) -> Iterator[Array]:
    """Yield the inputs from a number on that may be lengths of texts, and are read."""
    for variable, value in zip(forward.inputs[first:], inputs[first:], strict=True):
        whole = kind_of(variable.aval.dtype) in ("i", "u") and variable.aval.ndim == 1
        if whole and forward.readers(variable):
            yield np.asarray(value)


def padding_by_lengths(tokens: Array, given: Array) -> Array | None:
    """Return which tokens are padding if these are the lengths of all texts."""
    batch, length = tokens.shape
    if given.shape != (batch,) or given.min(initial=1) < 1 or given.max(initial=1) > length:
        return None
    return _varying(tokens, np.arange(length) < given[:, None])


def padding_by_places(tokens: Array) -> Array | None:
    """Return which tokens are padding because their number fills ends of rows, and only those."""
    every = (padding_by_number(tokens, number) for number in np.unique(tokens[:, -1]).tolist())
    return next((padding for padding in every if padding is not None), None)


def may_be_filled(tokens: Array) -> bool:
    """Return whether any row begins or ends with one token twice, as padding does."""
    ends = (tokens[:, :2], tokens[:, -2:])
    return tokens.shape[1] > 2 and any(bool((end[:, 0] == end[:, 1]).any()) for end in ends)


def _varying(tokens: Array, visible: Array) -> Array | None:
    """Return which tokens are padding by a mask, if it does not hide as many in each row."""
    padding = padding_by_mask(tokens, visible.astype(int))
    return padding if padding is not None and np.unique(padding.sum(1)).size > 1 else None
