"""Taking definitions out of the files of examples, which are not a part of this project.

The files are those of checkouts in one folder, which SOURCES names. Of each, the functions and
classes are taken that can be defined with the libraries that are there; what it does beside that,
as downloading data, is not done. Sizes may be made smaller: ``numbers={512: 16}`` puts 16 in the
place of each 512.
"""

from __future__ import annotations
import __future__

import ast
import itertools
import json
import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

VARIABLE = "SOURCES"
_NUMBERS = itertools.count()


class Repository(NamedTuple):
    """A repository with examples, and the revision of which they are."""

    name: str
    revision: str
    library: str

    @property
    def folder(self) -> Path:
        """Return where its checkout lies."""
        return Path(os.environ.get(VARIABLE, "sources"), self.name.rpartition("/")[2])


REPOSITORIES = {
    "flax": Repository("google/flax", "18f8f311c275", "Flax"),
    "equinox": Repository("patrick-kidger/equinox", "9336d820b2ef", "Equinox"),
    "optax": Repository("google-deepmind/optax", "2edbcbe2390d", "optax"),
    "haiku": Repository("google-deepmind/dm-haiku", "f4d858a5cbb2", "Haiku"),
    "jax": Repository("jax-ml/jax", "cec06d116c05", "JAX"),
}


class Smaller(ast.NodeTransformer):
    """Puts other numbers in the places of some."""

    def __init__(self, numbers: Mapping[int, int]) -> None:
        self._numbers = numbers

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if type(node.value) is int and node.value in self._numbers:
            return ast.copy_location(ast.Constant(self._numbers[node.value]), node)
        return node


class Example(SimpleNamespace):
    """The definitions of a file, as attributes."""

    def __init__(self, file: str, module: ast.Module, names: dict[str, Any]) -> None:
        super().__init__(**names)
        self._file, self._module, self._names = file, module, names

    def inner(self, path: str, **around: Any) -> Any:
        """Return a function that is defined inside of others, with what it finds around it."""
        *above, name = path.split(".")
        found: ast.AST = self._module
        for each in (*above, name):
            found = next(n for n in ast.walk(found) if getattr(n, "name", None) == each)
        names = self._names | around
        exec(_compiled([found], self._file), names)
        return names[name]

    def all_of(self, name: str) -> Iterator[Any]:
        """Yield each function of this name: a notebook may define several."""
        for node in self._module.body:
            if getattr(node, "name", None) == name:
                names = {**self._names}
                exec(_compiled([node], self._file), names)
                yield names[name]


def taken(
    repository: str,
    *paths: str,
    also: tuple[str, ...] = (),
    numbers: Mapping[int, int] | None = None,
    **given: Any,
) -> Example:
    """Return the definitions of files, and of later ones those that need them.

    ``also`` are values that the last file assigns and that are taken, too; ``given`` are others,
    which stand in the place of its own.
    """
    kept = ModuleType(f"example_{next(_NUMBERS)}_of_{repository}")
    sys.modules[kept.__name__] = kept  # dataclasses look up their annotations there
    names = vars(kept)
    names |= given
    for path in paths:
        text, file = _text(REPOSITORIES[repository].folder / path), f"{repository}/{path}"
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        module = ast.parse(text)
        if numbers:
            module = ast.fix_missing_locations(Smaller(numbers).visit(module))
        for node in _definitions(module.body, also):
            with suppress(ImportError, NameError, AttributeError):
                exec(_compiled([node], file), names)
            names |= given
    return Example(file, module, names)


def _definitions(body: list[ast.stmt], also: tuple[str, ...]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            yield node
        elif isinstance(node, ast.Assign):
            targets = (name for target in node.targets for name in ast.walk(target))
            if any(isinstance(name, ast.Name) and name.id in also for name in targets):
                yield node


def _text(file: Path) -> str:
    """Return the text of a file; of a notebook that of its cells, without commands of a shell."""
    text = file.read_text("utf-8")
    if file.suffix != ".ipynb":
        return text
    cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
    lines = "\n".join("".join(cell["source"]) for cell in cells).split("\n")
    return "\n".join(line if not line.lstrip().startswith(("!", "%")) else "" for line in lines)


def _compiled(body: list[Any], file: str) -> CodeType:
    """Return code that has its lines in an example, wherever the checkouts lie."""
    module = ast.Module(body=body, type_ignores=[])
    return compile(module, file, "exec", __future__.annotations.compiler_flag, True)
