"""Units that are whole modules: experts. They are guessed from names and sizes, and then proved.

Following an exchange through the operations does not find them: a loop over experts performs other
operations for each, and an array becomes another array.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from symmetry.units.units import Part, Units

Shapes = Mapping[str, tuple[int, ...]]
Holds = Callable[[Units], bool]


def siblings(shapes: Shapes, free: Sequence[tuple[str, int]], holds: Holds) -> Iterator[Units]:
    """Yield groups of modules, or of slices of stacked parameters, that may be exchanged.

    Parameters
    ----------
    shapes
        Of all arrays of the model, by their names.
    free
        Arrays and axes of parameters with a gradient that lie in no group: of a router, say.
    holds
        Proves a group.
    """
    lists = [(path, len(parts[0].arrays), parts) for path, parts in _lists(shapes)]
    stacked = {
        (array.rpartition(".")[0], shapes[array][axis])
        for array, axis in free
        if len(shapes[array]) > 2 and shapes[array][axis] > 1
    }
    for path, count, fixed in [*lists, *((*pair, ()) for pair in sorted(stacked))]:
        around = f"{path.rpartition('.')[0]}."
        along = [
            Part(array, axis)
            for array, axis in free
            if shapes[array][axis] == count and array.startswith(around)
        ]
        by_module = itertools.groupby(along, lambda part: part.array.rpartition(".")[0])
        for more in ((), *(tuple(parts) for _, parts in by_module), tuple(along)):
            units = Units("", count, (*fixed, *more), chosen=True)
            if len(units.arrays) > 1 and holds(units):
                yield _smallest(units, len(fixed), holds)
                break


def _lists(shapes: Shapes) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """Yield the paths of lists whose modules have the same arrays, and these side by side."""
    lists: dict[str, dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in shapes:
        words = name.split(".")
        for place, word in enumerate(words):
            if word.isdigit():
                rest = ".".join(words[place + 1 :])
                lists[".".join(words[:place])][int(word)][rest] = name
    for path, members in lists.items():
        modules = [members[number] for number in sorted(members)]
        kinds = {tuple((rest, shapes[n]) for rest, n in module.items()) for module in modules}
        if len(modules) > 1 and len(kinds) == 1:
            arrays = ([module[rest] for module in modules] for rest in modules[0])
            yield path, tuple(Part(names[0], 0, arrays=tuple(names)) for names in arrays)


def _smallest(units: Units, fixed: int, holds: Holds) -> Units:
    """Leave out each part that nothing depends on."""
    for part in units.parts[fixed:]:
        fewer = replace(units, parts=tuple(p for p in units.parts if p is not part))
        if len(fewer.parts) > 1 and holds(fewer):
            units = fewer
    return units
