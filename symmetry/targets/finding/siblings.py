"""Units that are whole modules: experts. They are guessed from names and sizes, and then proved.

Following an exchange through the operations does not find them: a loop over experts performs other
operations for each, and an array becomes another array.
"""

from __future__ import annotations

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
        Arrays and axes of parameters that lie in no group: of a router, for instance.
    holds
        Proves a group.
    """
    for count, fixed, options in _guesses(shapes, free):
        for more in ((), options) if fixed else (options,):
            units = Units("", count, (*fixed, *more), chosen=True)
            if len(units.parts) > 1 and holds(units):
                yield _smallest(units, fixed, holds)
                break


def _guesses(
    shapes: Shapes, free: Sequence[tuple[str, int]]
) -> Iterator[tuple[int, tuple[Part, ...], tuple[Part, ...]]]:
    """Yield a number of units, what they surely are, and what may go with it."""
    for path, parts in _families(shapes).items():
        count = len(parts[0].arrays)
        yield count, parts, _along(path.rpartition(".")[0], count, shapes, free)
    stacked = {
        (a.rpartition(".")[0], shapes[a][x])
        for a, x in free
        if len(shapes[a]) > 2 and shapes[a][x] > 1
    }
    for path, count in sorted(stacked):
        yield count, (), _along(path.rpartition(".")[0], count, shapes, free)


def _along(
    path: str, count: int, shapes: Shapes, free: Sequence[tuple[str, int]]
) -> tuple[Part, ...]:
    """Return the free axes of this length below a module."""
    return tuple(
        Part(array, axis)
        for array, axis in free
        if shapes[array][axis] == count and array.startswith(f"{path}.")
    )


def _families(shapes: Shapes) -> dict[str, tuple[Part, ...]]:
    """Return, by the path of a list, the arrays of its modules where these have the same ones."""
    found: dict[str, dict[int, dict[str, str]]] = {}
    for name in shapes:
        words = name.split(".")
        for place in (k for k, word in enumerate(words) if word.isdigit()):
            modules = found.setdefault(".".join(words[:place]), {})
            modules.setdefault(int(words[place]), {})[".".join(words[place + 1 :])] = name
    return {
        path: tuple(
            Part(modules[0][rest], 0, arrays=tuple(modules[k][rest] for k in sorted(modules)))
            for rest in modules[0]
        )
        for path, modules in found.items()
        if len(modules) > 1 and 0 in modules and _alike([*modules.values()], shapes)
    }


def _alike(modules: Sequence[Mapping[str, str]], shapes: Shapes) -> bool:
    first = [(rest, shapes[name]) for rest, name in modules[0].items()]
    return all([(r, shapes[n]) for r, n in module.items()] == first for module in modules)


def _smallest(units: Units, fixed: tuple[Part, ...], holds: Holds) -> Units:
    """Leave out each part that nothing depends on."""
    for part in units.parts[len(fixed) :]:
        fewer = replace(units, parts=tuple(p for p in units.parts if p is not part))
        if len(fewer.parts) > 1 and holds(fewer):
            units = fewer
    return units
