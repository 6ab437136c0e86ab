"""Units: a group of interchangeable places in a state, and their rearrangements.

A hidden unit of a two-layer network is a column of w1 and a row of w2; an attention head is a block
of rows of one matrix and a block of columns of another; a recurrent unit lies along both axes of
its matrix. All are the same value: a count, and the *parts* that say where unit u lies.

Units may become copies of others in groups that overlap: copies of copies are equal, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from symmetry.units import compare
from symmetry.units.compare import Group
from symmetry.units.state import Array, State

Order = NDArray[np.int_]


@dataclass(frozen=True)
class Part:
    """Where the entries of each unit lie in one array.

    Unit u has the slices ``first + u * stride`` up to ``first + u * stride + block`` of an axis.
    """

    array: str  # the array's name in the state
    axis: int  # the axis that the units lie along
    # The first index of unit 0, the distance from one unit to the next, the indices of one unit.
    first: int = 0
    stride: int = 1
    block: int = 1
    # The first index of each unit, where no stride fits: one of the places between has no unit. It
    # replaces ``first`` and ``stride``.
    indices: tuple[int, ...] | None = None
    # Triples of another axis, a start and a stop: the units lie only in that range of it (inside
    # one head, or one group of a convolution).
    within: tuple[tuple[int, int, int], ...] = ()
    # The array of each unit, where each is an array of its own, all of one shape: experts in a list
    # of modules. ``array`` is the first of them; the rest does not apply.
    arrays: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays that it lies in."""
        return self.arrays or (self.array,)

    def places(self, count: int) -> Order:
        """Return the indices along the axis, one row a unit: shape (count, block)."""
        firsts = self.first + self.stride * np.arange(count)
        if self.indices is not None:
            firsts = np.array(self.indices)
        return np.asarray(firsts[:, None] + np.arange(self.block), dtype=np.int_)

    def view(self, array: Array) -> Array:
        """Return the array within the ranges, the units' axis first. It is a view, not a copy."""
        ranges: list[slice] = [slice(None)] * array.ndim
        for axis, start, stop in self.within:
            ranges[axis] = slice(start, stop)
        return np.moveaxis(array[tuple(ranges)], self.axis, 0)


@dataclass(frozen=True)
class Units:
    """A group of interchangeable units.

    Operations leave a state as it is and return a new one, which shares the arrays without units.
    Parts whose array is not in the state are skipped, so that the same units describe a start with
    its data and a result without.

    Examples
    --------
    >>> units = Units("hidden units", 2, (Part("w1", axis=1), Part("w2", axis=0, first=1)))
    >>> state = {"w1": np.array([[1.0, 2.0]]), "w2": np.array([[9.0], [3.0], [4.0]])}
    >>> units.swapped(state, 0, 1)["w2"].tolist()
    [[9.0], [4.0], [3.0]]
    >>> units.groups(units.rearranged(state, [0, 0]))
    ((0, 1),)
    """

    name: str  # names the units: ``"hidden units"``, ``"blocks.0.attn heads"``
    count: int  # how many there are
    parts: tuple[Part, ...]  # where they lie
    # Whether a step may choose between them, as top-k does between experts: a sound one takes the
    # first of equal units.
    selectable: bool = False

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """The names of the arrays in which the units lie, each once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.names))

    @property
    def one(self) -> str:
        """The name of a single unit: ``"hidden unit"``."""
        return self.name[:-2] if self.name.endswith("sses") else self.name.removesuffix("s")

    def along(self, array: str, axis: int) -> dict[int, int]:
        """Return which unit has each place along an axis of an array that they share."""
        return {
            place: unit
            for part in self.parts
            if (part.array, part.axis, part.arrays) == (array, axis, ())
            for unit, places in enumerate(part.places(self.count).tolist())
            for place in places
        }

    def only_in(self, *arrays: str) -> Units:
        """Return the same units with their parts in these arrays only."""
        kept = tuple(part for part in self.parts if part.array in arrays)
        return replace(self, parts=kept)

    def rows(self, state: State, part: Part) -> Array:
        """Return the entries of one part, one row a unit: shape (count, entries of a unit).

        It may share memory with the state: do not write into it.
        """
        if part.arrays:
            return np.stack([state[name].ravel() for name in part.arrays])
        view = part.view(state[part.array])
        if part.block == part.stride == 1 and part.indices is None:
            view = view[part.first : part.first + self.count]
        else:
            view = view[part.places(self.count)]
        return view.reshape(self.count, -1)

    def rearranged(self, state: State, order: Order | Sequence[int]) -> dict[str, Array]:
        """Return the state with unit ``order[k]`` in place k; a unit may be there more than once.

        Where units lie along two axes of one array, both are rearranged. Where each unit is an
        array of its own that may be missing, as what an optimiser keeps for an expert that no
        sample chose yet, it is missing at the unit's new place.
        """
        order = np.asarray(order, dtype=np.int_)
        new = dict(state)
        copied: set[str] = set()
        for part in self.parts:
            if part.arrays:
                arrays = [new.pop(name, None) for name in part.arrays]
                for name, k in zip(part.arrays, order, strict=True):
                    if (array := arrays[k]) is not None:
                        new[name] = array
                copied -= {*part.arrays}  # two of them may be one now
                continue
            if part.array not in new:
                continue
            whole, places = new[part.array], part.places(self.count)
            if not part.within:
                index = np.arange(whole.shape[part.axis])
                index[places.ravel()] = places[order].ravel()
                new[part.array] = whole.take(index, part.axis)
            else:
                new[part.array] = whole if part.array in copied else np.array(whole, order="C")
                view = part.view(new[part.array])
                view[places.ravel()] = view[places[order].ravel()]
            copied.add(part.array)
        return new

    def swapped(self, state: State, a: int, b: int) -> dict[str, Array]:
        """Return the state with two units exchanged."""
        order = np.arange(self.count)
        order[[a, b]] = b, a
        return self.rearranged(state, order)

    def groups(self, state: State) -> tuple[Group, ...]:
        """Return which units are equal in all parts, in the order of their first members.

        Equality is defined as in ``compare.equal``: bit for bit, zeros equal, NaNs equal.
        """
        rows = [self.rows(state, part) for part in self.parts if part.array in state]
        if all(map(compare.all_equal, rows)):
            return (tuple(range(self.count)),)
        return compare.group_rows(*rows)

    def entry(self, state: State, part: Part, unit: int, position: int) -> tuple[int, ...]:
        """Return the index in the part's array, or the unit's own, of one entry of ``rows``."""
        if part.arrays:
            return tuple(map(int, np.unravel_index(position, state[part.array].shape)))
        view = part.view(state[part.array])
        offset, *index = map(int, np.unravel_index(position, (part.block, *view.shape[1:])))
        index.insert(part.axis, int(part.places(self.count)[unit, offset]))
        for axis, start, _ in part.within:
            index[axis] += start
        return tuple(index)

    def unit_at(self, array: str, entry: Sequence[int]) -> int | None:
        """Return the unit that an entry of an array belongs to; None if it belongs to no unit."""
        for part in self.parts:
            if array in part.arrays:
                return part.arrays.index(array)
            if part.array == array and all(a <= entry[axis] < b for axis, a, b in part.within):
                units, _ = np.nonzero(part.places(self.count) == entry[part.axis])
                if len(units):
                    return int(units[0])
        return None

    def pair_at(self, array: str, entry: Sequence[int], order: Order) -> tuple[int, int] | None:
        """Return the place that an entry belongs to, and the unit that an order moves there."""
        place = self.unit_at(array, entry)
        return None if place is None else (place, int(order[place]))


def first_of_group(groups: Sequence[Group], count: int) -> Order:
    """Return for each of ``count`` units the first one of its group; alone, the unit itself.

    As an order for ``Units.rearranged`` it makes the units of each group equal.
    """
    first = np.arange(count)
    for group in groups:
        first[list(group)] = group[0]
    return first


Pair = tuple[Units, int, int]


def sources(pairs: Iterable[Pair], state: State) -> dict[str, Order]:
    """Return for each array with units which entry each entry is to equal.

    Entries are numbered through all of these arrays, one after the other. Two entries become equal
    if an exchange of one of the pairs of units, or several of them in turn, moves one to the other.
    """
    pairs = tuple(pairs)
    names = {array for units, _, _ in pairs for array in units.arrays}
    arrays = {name: array for name, array in state.items() if name in names}
    ends = np.cumsum([array.size for array in arrays.values()])
    labels = {
        name: np.arange(end - array.size, end).reshape(array.shape)
        for (name, array), end in zip(arrays.items(), ends, strict=True)
    }
    while sum(_join(labels, pair) for pair in pairs):  # each of them, every time
        pass
    return labels


def merged(state: State, sources: Mapping[str, Order]) -> dict[str, Array]:
    """Return the state with each entry made equal to the one that ``sources`` names."""
    known = {name: state.get(name, np.zeros(label.shape)) for name, label in sources.items()}
    values = np.concatenate([array.ravel() for array in known.values()])
    new = dict(state)
    for name in state.keys() & sources.keys():
        new[name] = values[sources[name]].astype(state[name].dtype)
    return new


def _join(labels: dict[str, Order], pair: Pair) -> bool:
    """Give entries that an exchange of two units connects the smaller label; say if any changed."""
    units, a, b = pair
    changed = False
    for name, label in units.swapped(labels, a, b).items():
        if label is not labels[name]:
            least = np.minimum(label, labels[name])
            changed |= not np.array_equal(least, labels[name])
            labels[name] = least
    return changed
