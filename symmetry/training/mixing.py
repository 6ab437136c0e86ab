"""The first operation that mixes samples: by it an entry depends on several of them.

Example: a model is evaluated on two batches of four samples, which differ in sample 2.

    linear        rows (4, 3)     row 2 differs: the samples lie along axis 0
    softmax(0)    rows (4, 3)     all rows differ: it mixes them

A framework performs the operations, and says what each of them can do with samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from symmetry.observe.source_line import SourceLine
from symmetry.training.trial import Mixer
from symmetry.units.compare import unequal
from symmetry.units.samples import axes_of
from symmetry.units.state import Array

# ``"moves"``: each entry of its results is one of an operand's. ``"view"``: the same in another
# shape. ``"held"``: a sum over samples that other numbers stand for in evaluation, as in batch
# normalisation. ``"selects"``: it takes entries by their places.
Role = Literal["moves", "view", "softmax", "held", "product", "selects", "other"]
_Axes = list[int] | None  # those that the samples lie in; None if nothing differs


@dataclass(frozen=True)
class Performed:
    """An operation as it was performed once."""

    name: str  # of the operation, or of the module that it belongs to
    role: Role
    # The arrays that it is given and makes; None for what is no array.
    operands: Sequence[Array | None]
    results: Sequence[Array | None]
    place: SourceLine  # the user's line
    axis: int | None = None  # that a softmax runs over, if it is known
    has_parameter: bool = False  # whether an operand is a parameter itself


def roles_by_name(names: Mapping[Role, Iterable[str]]) -> dict[str, Role]:
    """Return the roles of operations by their names, the later of two roles; others have none."""
    return {name: role for role, each in names.items() for name in each}


class Mixing:
    """Looks for the first operation that mixes samples, among operations in their order.

    If the samples lie apart again later, as rows that were packed, nothing has mixed before.

    Parameters
    ----------
    count, sample
        How many samples there are, and which one differs.
    """

    def __init__(self, count: int, sample: int) -> None:
        self._count, self._sample = count, sample
        self._first: Mixer | None = None
        self._view: Mixer | None = None  # it mixes if something is done with its rows
        self._is_last = True  # whether the results of the first are only moved later

    @property
    def first(self) -> Mixer | None:
        """The operation that mixes first; None if none does."""
        return self._first and replace(self._first, is_last=self._is_last)

    def see(self, own: Performed, other: Performed) -> frozenset[int]:
        """Look at the next operation, as it is done for both batches.

        Returns the numbers of the results that stay as they are for the first batch.
        """
        held = frozenset(self._held(own, other))
        mixer = self._mixer(own, other, held)
        if mixer is None and (self._first or self._view) and self._separates(own, other):
            self._first = self._view = None
        elif self._first is not None:
            self._is_last = self._is_last and own.role in ("moves", "view")
        elif mixer is not None and mixer.kind == "view":
            self._view = self._view or mixer
        elif mixer is not None:
            self._is_last = self._view is None or self._is_apart(own, other)
            self._first = mixer if self._is_last else self._view
        return held

    def axes(self, a: Array | None, b: Array | None) -> _Axes:
        """Return the axes that the samples of an array lie in; None if it does not differ."""
        if a is None or b is None:
            return None
        if a.shape != b.shape:
            return []
        moved = unequal(a, b)
        return axes_of(moved, self._count, self._sample) if moved.any() else None

    def _held(self, own: Performed, other: Performed) -> Iterator[int]:
        if own.role == "held":
            yield from self._mixed(own, other)

    def _mixer(self, own: Performed, other: Performed, held: frozenset[int]) -> Mixer | None:
        """Return an operation as a mixer if a result of it depends on several samples."""
        if (own.name, own.role) != (other.name, other.role) or len(own.results) != len(
            other.results
        ):
            return Mixer("other", own.name, (), 0, 0, False, own.place)  # it goes another way
        number = next((n for n in self._mixed(own, other) if n not in held), None)
        if number is None:
            return None
        given = [self.axes(a, b) for a, b in zip(own.operands, other.operands, strict=False)]
        apart = next((n for n, axes in enumerate(given) if axes), None)
        made = own.results[number] if own.role == "view" or apart is None else own.operands[apart]
        axes = [0] if apart is None else given[apart] or []
        axis = axes[0] if own.axis is None else own.axis
        with_constant = own.role == "product" and None in given
        kind: Literal["softmax", "view", "product", "other"] = "other"
        if own.role == "view":
            kind = "view"
        elif own.role == "softmax" and axis in axes:
            kind = "softmax"
        elif with_constant and own.has_parameter:
            kind = "product"
        by_position = with_constant or own.role == "selects"
        shape = () if made is None else made.shape
        return Mixer(kind, own.name, shape, axis, axis, by_position, own.place)

    def _mixed(self, own: Performed, other: Performed) -> Iterator[int]:
        """Yield the results that depend on several samples, but for what came so."""
        for number, (a, b) in enumerate(zip(own.results, other.results, strict=False)):
            if self.axes(a, b) == [] and not self._carries(own, other, number):
                yield number

    def _carries(self, own: Performed, other: Performed, number: int) -> bool:
        """Return whether it keeps mixed samples of an operand in place, or only moves them."""
        a, b = own.results[number], other.results[number]
        assert a is not None
        assert b is not None
        for x, y in zip(own.operands, other.operands, strict=False):
            if x is None or y is None or a.shape != b.shape or self.axes(x, y) != []:
                continue
            if own.role in ("moves", "view"):
                return True
            if x.shape == y.shape == a.shape and not (unequal(a, b) & ~unequal(x, y)).any():
                return True
        return False

    def _is_apart(self, own: Performed, other: Performed) -> bool:
        """Return whether an operation is given samples that still lie apart."""
        pairs = zip(own.operands, other.operands, strict=False)
        return all(self.axes(a, b) != [] for a, b in pairs)

    def _separates(self, own: Performed, other: Performed) -> bool:
        """Return whether samples that were mixed lie apart in the results of an operation."""
        found = [self.axes(a, b) for a, b in zip(own.results, other.results, strict=False)]
        return any(found) and [] not in found and not self._is_apart(own, other)
