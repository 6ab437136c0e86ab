"""The framework of a script, by what it and the files beside it import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from symmetry.base.libraries import trainers
from symmetry.base.names import split_arguments, words_of
from symmetry.targets.syntax import imported, read_attributes, tree_of
from symmetry.training import frameworks


def framework_of(file: Path) -> str:
    """Return the name of the framework that a script is written in; the first one if none shows.

    A loop in one framework may take its batches from another one. So what only one of them has
    decides: a trainer, or an attribute such as ``backward``. Else the later one that is imported.
    """
    files = [tree for _, tree in _own_files(file)]
    names = {name for each in files for name in imported(each)}
    attributes = {name for each in files for name in read_attributes(each)}
    known = frameworks.registered()
    for name, framework in known.items():
        if attributes & framework.decisive or names & trainers(name, decisive=True):
            return name
    there = [name for name, framework in known.items() if names & framework.imports]
    return [next(iter(known)), *there][-1]


def files_of(name: str) -> tuple[Path, ...]:
    """Return the files of a target by its name: its own one, and those beside that it imports."""
    if (words := words_of(name)) is not None:
        source = words[1] if words[0] == "-m" else words[0]
    else:
        source = split_arguments(name)[0].partition(":")[0]
    return tuple(path for path, _ in _own_files(file_of(source)))


def file_of(source: str) -> Path:
    """Return the file of a script, or of a module; one that is not there if it is not found."""
    if source.endswith(".py"):
        return Path(source)
    beside = Path(*source.split(".")).with_suffix(".py")
    return beside if beside.is_file() else Path(*source.split("."), "__main__.py")


def _own_files(file: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield a file, and those beside it that it imports, with their syntax trees."""
    waiting, seen = [file], set[Path]()
    while waiting:
        seen.add(path := waiting.pop())
        if (tree := tree_of(path)) is None:
            continue
        yield path, tree
        for name in imported(tree):
            beside = (file.parent / f"{name}.py", file.parent / name / "__init__.py")
            waiting += [path for path in beside if path.is_file() and path not in seen]
