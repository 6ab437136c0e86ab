"""The trainings of this study: functions of modules, each of which takes an example's file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("tests/studies/jax_examples/trainings")
_NAMES = {"nnx": "NNX", "jax": "JAX", "optax": "optax"}


@dataclass(frozen=True)
class Listed:
    """A training, the library that it is an example of, and the path of that in its repository."""

    library: str
    file: Path
    function: str
    about: str
    path: str

    @property
    def name(self) -> str:
        """Return a short name: ``optax.perceptron``."""
        return f"{self.file.stem.removeprefix('of_')}.{self.function}"

    @property
    def target(self) -> str:
        """Return its name for ``symmetry check``."""
        return f"{self.file.as_posix()}:{self.function}"


def listed() -> Iterator[Listed]:
    """Yield the trainings, by file, in the order in which they are defined."""
    for file in sorted(FOLDER.glob("of_*.py")):
        words = file.stem.split("_")[1:]
        library = " ".join(_NAMES.get(word, word.capitalize()) for word in words)
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and _is_training(node):
                about, _, path = (ast.get_docstring(node) or "").partition("\n\nFrom ")
                about = about.removeprefix("Return ").removesuffix(".")
                yield Listed(library, file, node.name, about, path.removesuffix("."))


def _is_training(function: ast.FunctionDef) -> bool:
    returns = function.returns is not None and ast.unparse(function.returns) == "Training"
    return returns and not function.args.args
