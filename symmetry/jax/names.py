"""The names of a state's leaves: the model's own, and those that follow its parameters.

Example: the leaves of ``(params, optimizer_state)`` with one layer.

    0.dense.kernel            model.dense.kernel
    1.0.count                 1.0.count
    1.0.mu.dense.kernel       1.0.mu.dense.kernel     follows model.dense.kernel
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import jax

_WRAPPERS = ("value", "raw_value")  # attributes in which NNX has the array of a variable

Path = tuple[str, ...]


class Owner(NamedTuple):
    """The parameter that a leaf follows."""

    parameter: int  # its number
    around: Path  # the words of the leaf's path beside those that are the parameter's


def keyed_leaves(tree: Any) -> list[tuple[Path, Any]]:
    """Return the leaves of a tree, each with the words of its path.

    ``nnx.jit`` hands a function a model as a list of arrays, without their names: these are in the
    definition of the model's graph beside it.
    """
    found: list[tuple[Path, Any]] = []
    for keys, node in jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_graph)[0]:
        own: Sequence[Path] = [()]
        if _is_graph(node):
            own = _paths_in(node._graphdef)
        inner = jax.tree_util.tree_flatten_with_path(node)[0]
        alike = len(inner) == len(own)
        found += [
            ((*_words(keys), *(own[n] if alike else _words(more))) or ("state",), leaf)
            for n, (more, leaf) in enumerate(inner)
        ]
    return found


def _is_graph(node: Any) -> bool:
    """Return whether it is what ``flax.nnx.extract`` makes of an object: a graph and its leaves."""
    return hasattr(getattr(node, "_graphdef", None), "attributes") and hasattr(node, "states")


def _paths_in(graph: Any) -> list[Path]:
    """Return the paths of a graph's arrays in their order: it lists nodes, parents first."""
    nodes, attributes, found = iter(graph.nodes), iter(graph.attributes), list[Path]()

    def visit(path: Path) -> None:
        node = next(nodes)
        if type(node).__name__ == "VariableDef":
            found.append(path)
        for _ in range(getattr(node, "num_attributes", 0)):
            key, value = next(attributes)
            inner = (*path, str(key))
            if type(value).__name__ == "NodeAttr":
                visit(inner)
            elif type(value).__name__ == "ArrayAttr":
                found.append(inner)

    visit(())
    return found


def path_of(keys: Sequence[Any]) -> Path:
    """Return the words of a leaf's path."""
    return _words(keys) or ("state",)


def _words(keys: Sequence[Any]) -> Path:
    words = []
    for key in keys:
        names = (getattr(key, kind) for kind in ("key", "idx", "name") if hasattr(key, kind))
        words.append(str(next(names, key)))
    return tuple(word for word in words if word not in _WRAPPERS)


def names_of(
    paths: Sequence[Path],
    shapes: Sequence[tuple[int, ...]],
    parameters: Collection[int],
    read: Collection[int],
    others: Collection[int],
    behind: Mapping[int, Collection[int]],
) -> list[str]:
    """Return the name of each leaf.

    Parameters
    ----------
    paths, shapes
        Those of the leaves.
    parameters
        The numbers of the leaves that are trained.
    read
        Those of the leaves that the loss depends on: the model's own, too.
    others
        Those of other leaves with floating-point numbers that no gradient moves: the model's own
        if they follow no parameter, as running statistics.
    behind
        The parameters whose gradients make the next value of a leaf. Two networks may have the
        same names of layers, and optimisers of their own: it says which one a moment follows.
    """
    head = _head([paths[number] for number in parameters])
    model = {number: ".".join(paths[number][len(head) :] or paths[number]) for number in parameters}
    owners = owners_of(paths, shapes, parameters, behind)
    names = []
    for number, path in enumerate(paths):
        text = ".".join(path)
        if number in model:
            names.append(f"model.{model[number]}")
        elif number in read and shapes[number]:
            names.append(f"model.{text}")
        elif (found := owners[number]) is not None:
            names.append(".".join((*found.around, model[found.parameter])))
        elif number in others and shapes[number]:
            names.append(f"model.{'.'.join(path[1:]) or text}")
        else:
            names.append(text)
    return _different(names, paths)


def _head(paths: Sequence[Path]) -> Path:
    """Return the words that all paths begin with, but never a whole path."""
    columns = zip(*(path[:-1] for path in paths), strict=False)
    return tuple(words[0] for words in takewhile(lambda words: len({*words}) == 1, columns))


def _common(path: Path, other: Path) -> int:
    """Return how many words two paths end in together."""
    pairs = zip(reversed(path), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def owners_of(
    paths: Sequence[Path],
    shapes: Sequence[tuple[int, ...]],
    parameters: Collection[int],
    behind: Mapping[int, Collection[int]],
) -> list[Owner | None]:
    """Return the parameter that each leaf follows, if any; ``names_of`` has the arguments.

    The one whose gradient makes the next value of a leaf of its shape owns it, if that is only one.
    Otherwise the tree of an optimiser maps to the model's: below some path there are leaves whose
    paths from there are all paths of the model's leaves. Some may be missing, where an
    optimiser is masked, unless all paths are numbers; or there are several arrays in the place of
    each. The largest such tree counts; then a model whose gradients make the leaf,
    arrays of its shape, the longest end of both paths, and the model that is nearest in the state.
    """
    below: dict[Path, set[Path]] = {}  # the paths from a path to its leaves
    for path in paths:
        for length in range(len(path)):
            below.setdefault(path[:length], set()).add(path[length:])
    heads: dict[Path, set[int]] = {}  # the parameters that a path leads to from somewhere
    for other in parameters:
        for length in range(len(paths[other])):
            heads.setdefault(paths[other][length:], set()).add(other)

    def mapped(number: int) -> Owner | None:
        path = paths[number]
        for length, end in ((a, b) for a in range(len(path)) for b in range(len(path), a, -1)):
            root, rest = path[:length], path[length:end]
            found = [
                other
                for other in heads.get(rest, ())
                if paths[other][:length] != root
                and maps(below[root], below[paths[other][: -len(rest)]], end < len(path))
            ]
            if found:
                ranks = [rank(number, other) for other in found]
                best = found[ranks.index(max(ranks))]
                return Owner(best, root + path[end:]) if ranks.count(max(ranks)) == 1 else None
        return None

    def maps(mine: set[Path], its: set[Path], several: bool) -> bool:
        if not several:
            return mine <= its and (its <= mine or not all(map(str.isdigit, sum(mine, ()))))
        begin = {path[:n] for path in mine for n in range(1, len(path))}
        return its <= begin and all(any(p[:n] in its for n in range(1, len(p))) for p in mine)

    def rank(number: int, other: int) -> tuple[bool, bool, int, int]:
        path, its = paths[number], paths[other]
        makes, alike = other in behind.get(number, ()), shapes[other] == shapes[number]
        return makes, alike, _common(path, its), _common(path[::-1], its[::-1])

    def owner(number: int) -> Owner | None:
        if number in parameters or not shapes[number]:
            return None
        makers, path = [*behind.get(number, ())], paths[number]
        if len(makers) == 1 and shapes[makers[0]] == shapes[number]:
            return Owner(makers[0], path[: len(path) - _common(path, paths[makers[0]])])
        return mapped(number)

    return [owner(number) for number in range(len(paths))]


def _different(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Return different names: those that several leaves have are longer."""
    return [
        name if names.count(name) == 1 else f"{name}.{'.'.join(path)}"
        for name, path in zip(names, paths, strict=True)
    ]
