"""The framework of a script, by what it and the files beside it import."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from symmetry.base.libraries import trainers
from symmetry.base.names import split_arguments, words_of
from symmetry.base.notebooks import SUFFIX
from symmetry.targets.syntax import imported, read_attributes, tree_of
from symmetry.training import frameworks

_MOST_FILES = 500  # that are read: a script with more imports a library that lies beside it


def framework_of(file: Path) -> str:
    """Return the name of the framework that a script is written in; the first one if none shows.

    A loop in one framework may take its batches from another one. So what only one of them has
    decides: a trainer, or an attribute such as ``backward``. Else the later one that is imported.
    Modules below packages count only if the script and those beside it show no framework.
    """
    files = [*own_files(file)]
    beside = [tree for path, tree in files if path.parent == file.parent or path == file]
    default = next(iter(frameworks.registered()))
    return _framework(beside) or _framework([tree for _, tree in files]) or default


def _framework(files: list[ast.Module]) -> str:
    names = {name for each in files for name in imported(each)}
    attributes = {name for each in files for name in read_attributes(each)}
    known = frameworks.registered()
    for name, framework in known.items():
        if attributes & framework.decisive or names & trainers(name, decisive=True):
            return name
    return next((n for n in reversed([*known]) if names & known[n].imports), "")


def files_of(name: str) -> tuple[Path, ...]:
    """Return the files of a target by its name: its own one, and all of its own that it imports."""
    if (words := words_of(name)) is not None:
        source = words[1] if words[0] == "-m" else words[0]
    else:
        source = split_arguments(name)[0].partition(":")[0]
    file = file_of(source)
    return _files(file, Path.cwd(), file.stat().st_mtime_ns if file.exists() else 0)


@lru_cache(maxsize=64)  # a process that checks many targets of a project follows each file once
def _files(file: Path, _folder: Path, _changed: int) -> tuple[Path, ...]:
    return tuple(path for path, _ in own_files(file))


def file_of(source: str) -> Path:
    """Return the file of a script, or of a module; one that is not there if it is not found."""
    if source.endswith((".py", SUFFIX)):
        return Path(source)
    beside = Path(*source.split(".")).with_suffix(".py")
    return beside if beside.is_file() else Path(*source.split("."), "__main__.py")


def own_files(file: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield a file, and those that it imports from its folder and from the working directory.

    Modules of packages and relative imports are followed, and so are the files of the packages
    above them; what is installed is not.
    """
    roots = tuple(dict.fromkeys((file.parent, Path())))
    waiting, seen = [file], set[Path]()
    while waiting and len(seen) < _MOST_FILES:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if (tree := tree_of(path)) is None:
            continue
        yield path, tree
        waiting += reversed([*dict.fromkeys(_imported_files(path, tree, roots))])


def _imported_files(path: Path, tree: ast.Module, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the files of the modules that a file imports, as far as they lie below the roots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(roots, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            words = node.module.split(".") if node.module else []
            above = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else []
            for alias in node.names:
                yield from _module_files(above if node.level else roots, [*words, alias.name])


def _module_files(roots: Sequence[Path], words: Sequence[str]) -> Iterator[Path]:
    """Yield the file of a module, and those of the packages that it lies in."""
    for root in roots:
        folder = root
        for word in words:
            beside = (folder / word).with_suffix(".py"), folder / word / "__init__.py"
            yield from filter(Path.is_file, beside)
            folder /= word
