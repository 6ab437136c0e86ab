"""Names for groups of units: the path of their module, and a noun."""

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from symmetry.units.units import Part, Units

Shapes = Mapping[str, tuple[int, ...]]


def named(
    groups: Sequence[Units], shapes: Shapes, output_on_axis_1: Set[str] = frozenset()
) -> list[Units]:
    """Return the groups with different names, and with their parts in the order of the state.

    Parameters
    ----------
    groups
        Without names.
    shapes
        The shapes of all arrays, in the order of the state.
    output_on_axis_1
        Weights whose output axis is 1, not 0: embeddings, transposed convolutions.
    """
    order = {name: number for number, name in enumerate(shapes)}
    groups = [
        replace(u, parts=tuple(sorted(u.parts, key=lambda p: (order[p.array], p.axis, p.first))))
        for u in groups
    ]
    outer = [_surrounding(units, groups) for units in groups]
    inside: dict[int, set[str]] = {}  # by the number of a group: arrays of smaller units in its own
    for units, around in zip(groups, outer, strict=True):
        if around is not None:
            inside.setdefault(around[0], set()).update(units.arrays)

    def name(number: int) -> str:
        units, around = groups[number], outer[number]
        kind = _kind(units, shapes, output_on_axis_1, inside.get(number, set()))
        if around is None or any(part.arrays for part in groups[around[0]].parts):
            return f"{_path(units, shapes, output_on_axis_1, kind)} {kind}"
        whole = Units(name(around[0]), 0, ())
        if kind == "units" and whole.name.endswith("heads"):
            taken = _modules(units, shapes, output_on_axis_1, makers=False)
            kind = "value/output dimensions" if taken else "query/key dimensions"
            if any(
                len(shapes[part.array]) > 2 for part in units.parts
            ):  # either axis may be output
                kind = "dimensions"
        return f"{whole.one} {around[1]} {kind}"

    names = [name(number) for number in range(len(groups))]
    again = [names[:number].count(text) + 1 for number, text in enumerate(names)]
    return [
        replace(units, name=text if nth == 1 else f"{text} ({nth})")
        for units, text, nth in zip(groups, names, again, strict=True)
    ]


def _kind(units: Units, shapes: Shapes, output_on_axis_1: Set[str], inside: Set[str]) -> str:
    """Return the noun for the units, which follows from where they lie.

    ``inside`` are the arrays of smaller units that lie in these. A head consists of its dimensions
    in all its arrays. An expert has a row of the router as well, which holds no smaller units.
    """
    if any(part.arrays for part in units.parts):
        return "modules"
    deep = any(
        len(shapes[p.array]) > (2 if p.array.endswith(".weight") else 3) for p in units.parts
    )
    if _are_rotary(units, shapes):
        return "rotary pairs"
    made = _modules(units, shapes, output_on_axis_1, makers=True)
    stacked = any(part.axis == 0 and len(shapes[part.array]) > 2 for part in units.parts)
    experts = stacked and units.selectable
    if any(p.block > 1 and _module(p) in made for p in units.parts):
        return "expert groups" if experts else "groups" if deep else "heads"
    if inside or experts:
        return "heads" if inside >= {*units.arrays} else "experts"
    if deep:
        return "channels"
    taken = _modules(units, shapes, output_on_axis_1, makers=False)
    if len({*made}.difference(taken)) > 1 and len({*taken}.difference(made)) > 1:
        return "residual stream"
    axes = [{p.axis for p in units.parts if p.array == array} for array in units.arrays]
    return "recurrent units" if any(len(each) > 1 for each in axes) else "units"


def _are_rotary(units: Units, shapes: Shapes) -> bool:
    """Return whether units are pairs of dimensions that a rotary embedding rotates, in all heads.

    Such a pair has several slices in each matrix, of queries and of keys.
    """
    along = [(p.array, p.axis) for p in units.parts if len(shapes[p.array]) == 2 and not p.within]
    return len({*along}) > 1 and all(along.count(slot) > 1 for slot in along)


def _path(units: Units, shapes: Shapes, output_on_axis_1: Set[str], kind: str) -> str:
    """Return the path of the module that makes the units.

    Several modules have the common beginning of their paths, or else the path of the first. Heads
    belong to the module that both makes and joins them. Modules of a list have its path, others a
    path as ``q1/q2``. A path such as ``0`` becomes ``layer 0``: it is no number of units.
    """
    makers = _modules(units, shapes, output_on_axis_1, makers=True)
    modules = [_module(part) for part in units.parts]
    if kind == "rotary pairs":  # frequencies are a buffer of another module
        modules = [_module(part) for part in units.parts if len(shapes[part.array]) > 1]
    if len(makers) == 1 and kind != "heads":
        modules = makers
    first_of_each = next((part.arrays for part in units.parts if part.arrays), ())
    listed = [name.split(".")[1:] for name in first_of_each]
    columns = [*zip(*(listed or [module.split(".") for module in modules]), strict=False)]
    same = [words[0] for words in itertools.takewhile(lambda words: len({*words}) == 1, columns)]
    if listed and not columns[len(same)][0].isdigit():
        same.append("/".join(dict.fromkeys(columns[len(same)])))
    first = modules[0] if kind == "residual stream" else (makers or modules)[0]
    path = ".".join(same) or first
    path = path or units.parts[0].array.partition(".")[2]
    return f"layer {path}" if path.replace(".", "").isdigit() else path


def _modules(
    units: Units, shapes: Shapes, output_on_axis_1: Set[str], *, makers: bool
) -> list[str]:
    """Return the modules whose matrices make the units, or those whose matrices take them.

    A module with vectors makes the units that lie in one of these: its bias. Any other module makes
    the units along the output axis of its matrix.
    """
    vectors = {_module(part) for part in units.parts if len(shapes[part.array]) == 1}
    biased = {_module(Part(name, 0)) for name, shape in shapes.items() if len(shape) == 1}

    def makes(part: Part) -> bool:
        module = _module(part)
        return (
            module in vectors if module in biased else part.axis == (part.array in output_on_axis_1)
        )

    matrices = [part for part in units.parts if len(shapes[part.array]) > 1]
    return [*dict.fromkeys(_module(part) for part in matrices if makes(part) == makers)]


def _module(part: Part) -> str:
    """Return the path of the module that a part's parameter belongs to."""
    return module_of(part.array)


def module_of(array: str) -> str:
    """Return the path of the module that an array of the state belongs to, parametrised or not."""
    words = array.split(".")[1:]
    end = words.index("parametrizations") if "parametrizations" in words else len(words) - 1
    return ".".join(words[:end])


def _surrounding(units: Units, groups: Sequence[Units]) -> tuple[int, int] | None:
    """Return the smallest group with a unit that contains these: its number, and the unit."""
    around = [
        (number, place)
        for number, other in enumerate(groups)
        if other is not units
        for place in set.intersection(
            *({*_places_of(part, units.count, other)} for part in units.parts)
        )
    ]
    return min(around, key=lambda pair: groups[pair[0]].parts[0].block, default=None)


def _places_of(part: Part, count: int, other: Units) -> Iterator[int]:
    """Yield the units of another group that hold a part, by its slices or by its ranges."""
    places = part.places(count)
    ranges = [(part.axis, int(places.min()), int(places.max()) + 1), *part.within]
    for whole in other.parts:
        if whole.arrays:
            yield from (u for u, name in enumerate(whole.arrays) if [name] == [*part.names])
        elif whole.array == part.array and not part.arrays:
            wide = whole.places(other.count)
            for start, stop in (limits for axis, *limits in ranges if axis == whole.axis):
                holds = (wide[:, 0] <= start) & (stop <= wide[:, -1] + 1)
                yield from np.flatnonzero(holds).tolist()
