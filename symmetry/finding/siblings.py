"""Units that are whole modules: experts, twin critics. They are guessed by names, and then proved.

Following an exchange through the operations does not find them: a loop over experts performs other
operations for each, and an array becomes another array.
"""

import itertools
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from symmetry.units.units import Part, Units

Shapes = Mapping[str, tuple[int, ...]]
Holds = Callable[[Units], bool]


def siblings(shapes: Shapes, free: Sequence[tuple[str, int]], holds: Holds) -> Iterator[Units]:
    """Yield groups of modules that may be exchanged.

    Parameters
    ----------
    shapes
        Of all arrays of the model, by their names.
    free
        Arrays and axes of parameters with a gradient that lie in no group: of a router, say.
    holds
        Proves a group.
    """
    found: set[frozenset[str]] = set()
    for path, count, fixed in (*_alike(shapes), *_runs(shapes)):
        arrays = frozenset(name for part in fixed for name in part.arrays)
        if arrays in found:  # in shorter runs
            continue
        around = f"{path.rpartition('.')[0]}."
        along = [
            Part(array, axis)
            for array, axis in free
            if shapes[array][axis] == count and array.startswith(around)
        ]
        by_module = itertools.groupby(along, lambda part: part.array.rpartition(".")[0])
        for more in ((), *(tuple(parts) for _, parts in by_module), tuple(along)):
            units = Units("", count, (*fixed, *more), chosen=True)
            if holds(units):
                found.add(arrays)
                yield units
                break


def _alike(shapes: Shapes) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    """Yield the path, number and arrays, side by side, of modules in a module that look the same.

    They are numbered, as in a list, or consist of modules themselves.
    """
    modules: dict[str, dict[str, str]] = defaultdict(dict)
    for name in (name for name in shapes if name.startswith("model.")):
        words = name.split(".")
        for place in range(2, len(words) + 1):
            if words[place - 1].isdigit() or place < len(words) - 1:
                modules[".".join(words[:place])][".".join(words[place:])] = name
    alike: dict[tuple[str, object], list[dict[str, str]]] = defaultdict(list)
    for path, arrays in modules.items():
        kind = tuple((rest, shapes[name]) for rest, name in arrays.items())
        alike[path.rpartition(".")[0], kind].append(arrays)
    for (path, _), members in alike.items():
        if len(members) > 1:
            yield path, len(members), _side_by_side(members)


def _runs(shapes: Shapes) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    """Yield the same of runs of layers, where one module holds several networks in turn."""
    modules: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in shapes:
        words = name.split(".")
        for place in range(1, len(words) - 1):
            rest = ".".join(words[place + 1 :])
            modules[".".join(words[:place])][words[place]][rest] = name
    for path, layers in modules.items():
        for size in (n for n in range(2, len(layers)) if len(layers) % n == 0):
            runs = [
                {f"{k % size}.{rest}": name for rest, name in layer.items()}
                for k, layer in enumerate(layers.values())
            ]
            members = [dict(ChainMap(*runs[k : k + size])) for k in range(0, len(runs), size)]
            kinds = {tuple((rest, shapes[n]) for rest, n in m.items()) for m in members}
            if len(kinds) == 1:
                yield f"{path}.", len(members), _side_by_side(members)


def _side_by_side(members: Sequence[Mapping[str, str]]) -> tuple[Part, ...]:
    names = [tuple(arrays[rest] for arrays in members) for rest in members[0]]
    return tuple(Part(n[0], 0, arrays=n) for n in names)
