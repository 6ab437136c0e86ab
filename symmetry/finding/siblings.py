"""Units that are whole modules, or slices of stacked arrays: experts, twin critics.

They are guessed by names, and then proved. Following an exchange through the operations does not
find them: a loop over experts performs other operations for each, and an array becomes another one.
"""

import itertools
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from symmetry.units.units import Part, Units

Shapes = Mapping[str, tuple[int, ...]]
Holds = Callable[[Units], bool]


def siblings(shapes: Shapes, free: Sequence[tuple[str, int]], holds: Holds) -> Iterator[Units]:
    """Yield groups of modules, or of slices of stacked arrays, that may be exchanged.

    Parameters
    ----------
    shapes
        Of all arrays of the model, by their names.
    free
        Arrays and axes that lie in no group: of parameters with a gradient, as a router's, and of
        buffers.
    holds
        Proves a group.
    """
    found: set[frozenset[str]] = set()
    taken: set[str] = set()
    for path, count, fixed in (*_alike(shapes), *_runs(shapes), *_stacked(shapes, free)):
        arrays = frozenset(name for part in fixed for name in part.names)
        stacked = not fixed[0].arrays
        if arrays in found or (stacked and not taken.isdisjoint(arrays)):  # in shorter runs
            continue
        around = f"{path.rpartition('.')[0] or path}."
        along = defaultdict[str, list[Part]](list)
        for array, axis in free:
            if shapes[array][axis] == count and array.startswith(around) and array not in arrays:
                along[array].append(Part(array, axis))
        several = dict.fromkeys(((), *_choices([*along.values()])))
        guesses = [Units("", count, (*fixed, *more), selectable=True) for more in several]
        proved = next(([units] for units in guesses if holds(units)), [])
        if stacked and not proved:
            proved = next(filter(None, (_in_blocks(units, holds) for units in guesses)), [])
        if proved:
            found.add(arrays)
            taken.update(proved[0].arrays)
            yield from proved


def _choices(along: Sequence[Sequence[Part]]) -> Iterator[tuple[Part, ...]]:
    """Yield what may be exchanged along, of arrays with one axis or more that fit: by module, all.

    A router makes as many numbers as there are experts, and may by chance take as many: it is
    asked for its first axis, for its last one, and for both.
    """
    every = [part for parts in along for part in parts]
    for chosen in ([parts[0] for parts in along], [parts[-1] for parts in along], every):
        by_module = itertools.groupby(chosen, lambda part: part.array.rpartition(".")[0])
        yield from (tuple(parts) for _, parts in by_module)
        yield tuple(chosen)


def _in_blocks(experts: Units, holds: Holds) -> list[Units]:
    """Return the groups within the largest blocks of experts that hold, and that of the blocks.

    A router may choose blocks of experts first, and only then experts within them.
    """
    for size in (n for n in range(experts.count // 2, 1, -1) if experts.count % n == 0):
        blocks = experts.count // size
        within = [
            replace(
                experts,
                count=size,
                parts=tuple(replace(part, first=block * size) for part in experts.parts),
            )
            for block in range(blocks)
        ]
        if all(map(holds, within)):
            parts = tuple(replace(part, stride=size, block=size) for part in experts.parts)
            whole = replace(experts, count=blocks, parts=parts)
            return [*within, *filter(holds, [whole])]
    return []


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


def _stacked(
    shapes: Shapes, free: Sequence[tuple[str, int]]
) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    """Yield the same of arrays that stack one matrix for each expert along their first axis.

    All of a module belong together, or else of the one that it lies in; and so do their vectors.
    """
    first = [name for name, axis in free if axis == 0 and shapes[name][0] > 1]
    homes = {name: name.rpartition(".")[0] for name in first}
    stacks = [name for name in first if len(shapes[name]) > 2]
    for above in (False, True):
        paths = [homes[n].rpartition(".")[0] if above else homes[n] for n in stacks]
        pairs = ((path, shapes[name][0]) for path, name in zip(paths, stacks, strict=True) if path)
        for path, count in dict.fromkeys(pairs):
            inside = {homes[name] for name in stacks if name.startswith(f"{path}.")}
            own = [n for n in first if homes[n] in inside and shapes[n][0] == count]
            yield path, count, tuple(Part(name, 0) for name in own)


def _side_by_side(members: Sequence[Mapping[str, str]]) -> tuple[Part, ...]:
    names = [tuple(arrays[rest] for arrays in members) for rest in members[0]]
    return tuple(Part(n[0], 0, arrays=n) for n in names)
