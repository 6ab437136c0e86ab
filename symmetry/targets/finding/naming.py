"""Names for groups of units: the module that they belong to, and what they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from symmetry.units.units import Part, Units

Shapes = Mapping[str, tuple[int, ...]]


def named(groups: Sequence[Units], shapes: Shapes) -> list[Units]:
    """Return the groups with names, each different, their parts in the order of the state.

    Parameters
    ----------
    groups
        Without names.
    shapes
        Of all arrays, in the order of the state.
    """
    order = {name: number for number, name in enumerate(shapes)}
    groups = [
        replace(u, parts=tuple(sorted(u.parts, key=lambda p: (order[p.array], p.axis, p.first))))
        for u in groups
    ]
    outer = [_surrounding(units, groups) for units in groups]
    around = {id(found[0]) for found in outer if found is not None}
    names: dict[int, str] = {}

    def name(units: Units) -> str:
        if id(units) not in names:
            found = outer[next(n for n, other in enumerate(groups) if other is units)]
            kind = _kind(units, shapes, id(units) in around)
            if found is None:
                names[id(units)] = f"{_path(units, shapes, kind)} {kind}".strip()
            else:
                whole, place = found
                if kind == "units" and name(whole).endswith("heads"):
                    kind = _dimensions(units, shapes)
                names[id(units)] = f"{replace(whole, name=name(whole)).one} {place} {kind}"
        return names[id(units)]

    taken: dict[str, int] = {}
    found = []
    for units in groups:
        text = name(units)
        taken[text] = taken.get(text, 0) + 1
        found.append(replace(units, name=text if taken[text] == 1 else f"{text} ({taken[text]})"))
    return found


def _kind(units: Units, shapes: Shapes, around: bool) -> str:
    """Return what the units are, by where they lie; ``around``: others lie inside of them."""
    if any(part.arrays for part in units.parts):
        return "modules"
    deep = any(
        len(shapes[p.array]) > (2 if p.array.endswith(".weight") else 3) for p in units.parts
    )
    made = _modules(units, shapes, makers=True)
    if any(p.block > 1 and _module(p) in made for p in units.parts):
        return "groups" if deep else "heads"
    if around:
        return "experts"
    if deep:
        return "channels"
    if len(made) > 1 and len(_modules(units, shapes, makers=False)) > 1:
        return "residual stream"
    axes = [{p.axis for p in units.parts if p.array == array} for array in units.arrays]
    return "recurrent units" if any(len(found) > 1 for found in axes) else "units"


def _dimensions(units: Units, shapes: Shapes) -> str:
    return (
        "value/output dimensions"
        if _modules(units, shapes, makers=False)
        else ("query/key dimensions")
    )


def _path(units: Units, shapes: Shapes, kind: str) -> str:
    """Return the module that makes the units; of several, what their paths begin with.

    Heads are those of the module that both makes and joins them, modules those of a list.
    """
    listed = [name.split(".")[1:] for part in units.parts for name in part.arrays]
    if listed:
        return _common(listed)
    modules = _modules(units, shapes, makers=True)
    if len(modules) != 1 or kind == "heads":
        modules = [_module(part) for part in units.parts]
    return _common([module.split(".") for module in modules])


def _common(paths: Sequence[Sequence[str]]) -> str:
    words = zip(*paths, strict=False)
    same = itertools.takewhile(lambda word: len({*word}) == 1, words)
    return ".".join(word[0] for word in same)


def _modules(units: Units, shapes: Shapes, *, makers: bool) -> list[str]:
    """Return the modules whose matrices make the units, or those that take them.

    A module with vectors makes the units that lie in one: in its bias. Others have the units that
    they make along the first axis of their matrix.
    """
    vectors = {_module(part) for part in units.parts if len(shapes[part.array]) == 1}
    biased = {_module(Part(name, 0)) for name, shape in shapes.items() if len(shape) == 1}

    def makes(part: Part) -> bool:
        module = _module(part)
        return module in vectors if module in biased else part.axis == 0

    matrices = [part for part in units.parts if len(shapes[part.array]) > 1]
    return [*dict.fromkeys(_module(part) for part in matrices if makes(part) == makers)]


def _module(part: Part) -> str:
    """Return the path of the module that a parameter belongs to, parametrised or not."""
    words = part.array.split(".")[1:]
    end = words.index("parametrizations") if "parametrizations" in words else len(words) - 1
    return ".".join(words[:end])


def _surrounding(units: Units, groups: Sequence[Units]) -> tuple[Units, int] | None:
    """Return the smallest group of which one unit holds all of these, and that unit's number."""
    found = [
        (other, place)
        for other in groups
        if other is not units and {*units.arrays} <= {*other.arrays}
        for place in {*_places_of(units.parts[0], units.count, other)}
        if all(place in _places_of(part, units.count, other) for part in units.parts)
    ]
    return min(found, key=lambda pair: pair[0].parts[0].block, default=None)


def _places_of(part: Part, count: int, other: Units) -> Iterator[int]:
    """Yield which units of another group hold a part, by its axis or a condition."""
    for whole in other.parts:
        if whole.arrays:
            yield from (u for u, name in enumerate(whole.arrays) if [name] == [*part.names])
        elif whole.array == part.array and not part.arrays:
            for axis, start, stop in _ranges(part, count):
                if axis == whole.axis:
                    places = whole.places(other.count)
                    yield from np.flatnonzero(
                        (places[:, 0] <= start) & (stop <= places[:, -1] + 1)
                    ).tolist()


def _ranges(part: Part, count: int) -> Iterator[tuple[int, int, int]]:
    places = part.places(count)
    yield part.axis, int(places.min()), int(places.max()) + 1
    yield from part.where
