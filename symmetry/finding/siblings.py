"""Units that are whole modules, or slices of stacked arrays: experts, twin critics.

They are guessed by names, and then proved. The solver does not find them: it swaps slices of one
array, and here whole arrays are swapped; and a loop performs separate operations for each expert.
"""

import itertools
from collections import ChainMap, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from symmetry.units.units import Part, Units

Shapes = Mapping[str, tuple[int, ...]]
Holds = Callable[[Units], bool]


def siblings(
    shapes: Shapes,
    trained: Collection[str],
    free: Sequence[tuple[str, int]],
    holds: Holds,
) -> Iterator[Units]:
    """Yield groups of modules, or of slices of stacked arrays, that may be exchanged.

    Parameters
    ----------
    shapes
        The shapes of all arrays of the model, by name.
    trained
        The arrays that the step trains: a policy is no sibling of the reference it started from.
    free
        Axes that lie in no group, of parameters with a gradient (as a router's) and of buffers.
    holds
        Proves a group.
    """
    proved_arrays: set[frozenset[str]] = set()
    taken: set[str] = set()
    for path, count, fixed in (
        *_same_modules(shapes, trained),
        *_runs_of_layers(shapes, trained),
        *_stacked(shapes, free),
    ):
        arrays = frozenset(name for part in fixed for name in part.names)
        stacked = not fixed[0].arrays
        if arrays in proved_arrays or (stacked and not taken.isdisjoint(arrays)):  # in shorter runs
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
            proved_arrays.add(arrays)
            taken.update(proved[0].arrays)
            yield from proved


def _choices(along: Sequence[Sequence[Part]]) -> Iterator[tuple[Part, ...]]:
    """Yield parts that may be exchanged along: of one module after the other, then of all.

    ``along`` holds the fitting axes of each array. A router makes as many numbers as there are
    experts, and by chance it may take as many, too: its first axis is tried, its last, and both.
    """
    every = [part for parts in along for part in parts]
    for choice in ([parts[0] for parts in along], [parts[-1] for parts in along], every):
        by_module = itertools.groupby(choice, lambda part: part.array.rpartition(".")[0])
        yield from (tuple(parts) for _, parts in by_module)
        yield tuple(choice)


def _in_blocks(experts: Units, holds: Holds) -> list[Units]:
    """Return the groups of experts in the largest blocks that hold, and the group of the blocks.

    A router may select blocks of experts first, and then experts within them.
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


def _same_modules(
    shapes: Shapes, trained: Collection[str]
) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    """Yield modules of one module that have arrays of the same names and shapes.

    They are numbered, as in a list, or consist of modules themselves. Each comes with the path of
    the module around them, their number, and a part for each of their arrays.
    """
    modules: dict[str, dict[str, str]] = defaultdict(dict)
    for name in (name for name in shapes if name.startswith("model.")):
        words = name.split(".")
        for place in range(2, len(words) + 1):
            if words[place - 1].isdigit() or place < len(words) - 1:
                modules[".".join(words[:place])][".".join(words[place:])] = name
    members_of: dict[tuple[str, object], list[dict[str, str]]] = defaultdict(list)
    for path, arrays in modules.items():
        kind = tuple((rest, shapes[name], name in trained) for rest, name in arrays.items())
        members_of[path.rpartition(".")[0], kind].append(arrays)
    for (path, _), members in members_of.items():
        if len(members) > 1:
            yield path, len(members), _side_by_side(members)


def _runs_of_layers(
    shapes: Shapes, trained: Collection[str]
) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    """Yield the same for runs of layers, if one module holds several networks one after another."""
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
            kinds = {
                tuple((rest, shapes[n], n in trained) for rest, n in m.items()) for m in members
            }
            if len(kinds) == 1:
                yield f"{path}.", len(members), _side_by_side(members)


def _stacked(
    shapes: Shapes, free: Sequence[tuple[str, int]]
) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    """Yield the same for arrays that stack one matrix for each expert along their first axis.

    The stacks of one module belong together, or those of the module around it, and so do vectors of
    the same length.
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
