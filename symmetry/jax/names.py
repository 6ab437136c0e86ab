"""The names of a state's leaves: the model's own, and those that follow its parameters.

Example: the leaves of ``(params, optimizer_state)`` with one layer.

    0.dense.kernel            model.dense.kernel
    1.0.count                 1.0.count
    1.0.mu.dense.kernel       1.0.mu.dense.kernel     follows model.dense.kernel
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any

_WRAPPERS = ("value", "raw_value")  # attributes in which NNX has the array of a variable

Path = tuple[str, ...]


def path_of(keys: Sequence[Any]) -> Path:
    """Return the words of a leaf's path."""
    words = []
    for key in keys:
        names = (getattr(key, kind) for kind in ("key", "idx", "name") if hasattr(key, kind))
        words.append(str(next(names, key)))
    return tuple(word for word in words if word not in _WRAPPERS) or ("state",)


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
    lengths = {number: len(paths[number]) - len(head) for number in parameters}
    names = []
    for number, path in enumerate(paths):
        text = ".".join(path)
        if number in model:
            names.append(f"model.{model[number]}")
        elif number in read and shapes[number]:
            names.append(f"model.{text}")
        elif (owner := _owner(number, paths, shapes, lengths, behind)) is not None:
            same = _common(path, paths[owner])
            names.append(".".join((*path[: len(path) - same], model[owner])))
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


def _owner(
    number: int,
    paths: Sequence[Path],
    shapes: Sequence[tuple[int, ...]],
    parameters: Mapping[int, int],
    behind: Mapping[int, Collection[int]],
) -> int | None:
    """Return the parameter that a leaf follows: its path ends in the same words.

    Two words suffice, or all that a parameter's path has inside the model: how many these are is
    given. If all of them are numbers, as in lists of arrays, the leaf has to lie in a copy of the
    whole model. If there are several, one whose gradient makes it comes first, then the one that is
    nearest in the state. Otherwise it follows the parameter whose gradient makes it, if that is
    only one, and has the same shape.
    """
    found: list[tuple[int, bool, int, int]] = []
    for other, length in parameters.items():
        same = _common(paths[number], paths[other])
        if same < min(2, length):
            continue
        words = paths[number][len(paths[number]) - same :]
        root = paths[number][: len(paths[number]) - length]
        if not all(map(str.isdigit, words)) or _is_copy(root, paths, shapes, parameters):
            beside = _common(paths[number][::-1], paths[other][::-1])
            found.append((same, other in behind.get(number, ()), beside, -other))
    makers = behind.get(number, ())
    alone = next(iter(makers)) if len(makers) == 1 and shapes[number] else None
    if alone is not None and shapes[alone] != shapes[number]:
        alone = None
    return -max(found)[3] if found else alone


def _is_copy(
    root: Path,
    paths: Sequence[Path],
    shapes: Sequence[tuple[int, ...]],
    parameters: Mapping[int, int],
) -> bool:
    """Return whether there is a leaf below a path for each parameter, with its shape."""
    known = dict(zip(paths, shapes, strict=True))
    return all(
        known.get((*root, *paths[number][len(paths[number]) - length :])) == shapes[number]
        for number, length in parameters.items()
    )


def _different(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Return different names: those that several leaves have are longer."""
    return [
        name if names.count(name) == 1 else f"{name}.{'.'.join(path)}"
        for name, path in zip(names, paths, strict=True)
    ]
