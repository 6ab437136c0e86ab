"""The trainings of this study: each is a function of a script, which gets its name.

The trainers have the loop in them, so a training is a whole script.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = "tests/studies/trainers/scripts"
_SCRIPTS = {  # with the library whose trainers, losses or collators they use
    "transformers_trainer.py": "transformers",
    "trl_trainers.py": "TRL",
    "timm_losses.py": "timm",
    "torchvision_losses.py": "torchvision",
    "lightning_trainer.py": "Lightning",
}


@dataclass(frozen=True)
class Combination:
    """One training, and the library that it uses."""

    library: str
    script: str
    name: str

    @property
    def target(self) -> str:
        """Return its name for ``symmetry check``."""
        return f"{_FOLDER}/{self.script} {self.name}"


def combinations() -> Iterator[Combination]:
    """Yield the trainings, in the order in which they are defined."""
    for script, library in _SCRIPTS.items():
        for node in ast.parse(Path(_FOLDER, script).read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and _is_training(node):
                yield Combination(library, script, node.name)


def _is_training(function: ast.FunctionDef) -> bool:
    helper = function.name.startswith("_") or function.name == "main"
    return not helper and isinstance(function.returns, ast.Constant) and not function.args.args
