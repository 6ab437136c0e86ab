"""The house: which floor each folder is on, and all that its plan forbids.

Imports inside of functions and those for type checkers count like all others: who moves code must
be able to trust that a floor needs nothing above it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from symmetry.invariants import catalogue as trainings
from symmetry.steps import catalogue as steps
from symmetry.targets.sizes import sizes

FLOORS = (
    ("base",),
    ("units",),
    ("observe",),
    ("sandbox",),
    ("law",),
    ("training",),
    ("torch", "jax"),
    ("invariants", "finding"),
    ("checker",),
    ("comparison", "explanation"),
    ("report",),
    ("network",),
    ("steps",),
    ("experiment",),
    ("targets",),
    ("session",),
    ("api",),
    ("cli", "testing", "callbacks"),
    ("__init__", "__main__"),  # the door
)
FLOOR = {wing: floor for floor, wings in enumerate(FLOORS) for wing in wings}
SHARE = 0.15  # of the package's lines, the most in a room
KINDS = 3  # the most questions for the kind of a target
FRAMEWORKS = {"torch", "jax", "flax", "tensorflow"}
WORD = re.compile(r"torch|jax|optax|flax|haiku|equinox|\baten\b", re.IGNORECASE)
# What these calls are given is printed by ``--list`` and ``--about``: help may name a framework.
HELP = {"TrainingInvariant", "Statement", "NoteKind", "option", "argument"}
MAY_IMPORT = (
    "symmetry.torch.",
    "symmetry.jax.",
    "symmetry.steps.builtin.",
    "symmetry.steps.observe.",
)
WITHOUT_FRAMEWORK = (
    *("law", "training", "invariants", "finding", "checker", "comparison", "explanation"),
)
CATALOGUES = (
    "symmetry.law.statements",
    "symmetry.steps.catalogue",
    "symmetry.targets.sizes.sizes",
)
ENTRIES = (sizes.SIZES, *trainings.CATALOGUE, *steps.CATALOGUE)
NAMES = re.compile("|".join(rf"\b{entry.name}(?![\w-])" for entry in ENTRIES))
KIND = re.compile(r"isinstance\(.*Target|of_training")

Arrows = dict[str, set[str]]


class House:
    """The package as its sources have it, and the arrows from each module to what it imports."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take the text of each file by its path: ``{"symmetry/units/state.py": ...}``."""
        self.texts = {_dotted(path): text for path, text in texts.items()}
        self.folders = {_dotted(path) for path in texts if path.endswith("/__init__.py")}
        self.arrows = {name: set(self._imported(name)) for name in self.texts}

    @classmethod
    def read(cls, root: Path) -> House:
        """Return the package that lies in a folder."""
        files = sorted((root / "symmetry").rglob("*.py"))
        return cls({file.relative_to(root).as_posix(): file.read_text() for file in files})

    def _imported(self, name: str) -> Iterator[str]:
        """Yield what a module imports: modules of the package, and names of other packages."""
        for other in imports(self.texts[name], self.folder(name)):
            if other.partition(".")[0] != "symmetry":
                yield other.partition(".")[0]
                continue
            while other not in self.texts:  # the end may be what the module defines
                other = other.rpartition(".")[0]
            yield other

    def folder(self, name: str) -> str:
        """Return the folder that a module lies in; one that is a folder lies in itself."""
        return name if name in self.folders else name.rpartition(".")[0]

    def faults(self) -> list[str]:
        """Return a line for each thing that is not as the house is meant."""
        return [
            *self._upward(),
            *circles(self._inside()),
            *circles(self._between_folders()),
            *self._large(),
            *self._undescribed(),
            *self._leaks(),
            *self._words(),
            *self._literal_names(),
            *self._questions(),
        ]

    def _inside(self) -> Arrows:
        """Return the arrows that end in the package, without those from a module to itself."""
        return {name: (to & self.texts.keys()) - {name} for name, to in self.arrows.items()}

    def _upward(self) -> Iterator[str]:
        for name, imported in self._inside().items():
            for other in sorted(imported):
                if wing(name) != wing(other) and floor(name) <= floor(other):
                    yield f"{name} (floor {floor(name)}) imports {other} (floor {floor(other)})"

    def _between_folders(self) -> Arrows:
        """Return the arrows between the folders of one folder, each with all that is in it."""
        arrows: Arrows = defaultdict(set)
        for name, imported in self._inside().items():
            for other in imported:
                here, there = self.folder(name).split("."), self.folder(other).split(".")
                same = next(
                    (i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None
                )
                if same is not None:  # or else one contains the other
                    arrows[".".join(here[: same + 1])].add(".".join(there[: same + 1]))
        return arrows

    def _large(self) -> Iterator[str]:
        lines = {name: text.count("\n") for name, text in self.texts.items()}
        rooms: Counter[str] = Counter()
        for name, number in lines.items():
            rooms[self.folder(name)] += number
        for room, number in rooms.items():
            if number > SHARE * sum(lines.values()):
                share = number / sum(lines.values())
                yield f"{room} is {share:.0%} of the package, more than {SHARE:.0%}"

    def _undescribed(self) -> Iterator[str]:
        for name, text in self.texts.items():
            described = ast.get_docstring(parsed(text)) or ""
            if not described or ("\n" in described and name in self.folders):
                yield f"{name} does not say what it holds, in one line if it is a folder"

    def _leaks(self) -> Iterator[str]:
        for name, imported in self.arrows.items():
            if imported & FRAMEWORKS and not name.startswith(MAY_IMPORT):
                yield f"{name} imports {', '.join(imported & FRAMEWORKS)}"
            for other in sorted({*map(wing, imported)} & FRAMEWORKS):
                if wing(name) in WITHOUT_FRAMEWORK:
                    yield f"{name} imports symmetry.{other}, but works with any framework"

    def _words(self) -> Iterator[str]:
        """Yield words of a framework in names and texts; docstrings and help may have some."""
        for name, text in self.texts.items():
            if name != "symmetry" and not f"{name}.".startswith(MAY_IMPORT):
                found = sorted({word for word in words(text) if WORD.search(word)})
                yield from (f"{name} has a word of a framework: {word}" for word in found)

    def _literal_names(self) -> Iterator[str]:
        for name, text in self.texts.items():
            found = {each for part in literals(text) for each in NAMES.findall(part)}
            found -= {each for each in found if name == file_of(each)}
            if found and name not in CATALOGUES:
                yield f"{name} names {', '.join(sorted(found))}: only its own file may"

    def _questions(self) -> Iterator[str]:
        asking = [name for name, text in self.texts.items() for _ in KIND.findall(text)]
        if len(asking) > KINDS:
            yield f"{len(asking)} places ask for the kind of a target: {', '.join(asking)}"


def file_of(invariant: str) -> str:
    """Return the module that declares an invariant of trainings."""
    return f"symmetry.invariants.{invariant.replace('/', '.').replace('-', '_')}"


def wing(name: str) -> str:
    """Return the folder, or the module, right below the package that a dotted name lies in."""
    return name.split(".")[1] if "." in name else "__init__"


def floor(name: str) -> int:
    return FLOOR[wing(name)]


def circles(arrows: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield circles until the arrows that are left have none."""
    left = {name: set(to) - {name} for name, to in arrows.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
            return
        except CycleError as error:
            circle = error.args[1]
            yield f"a circle: {' <- '.join(circle)}"
            left[circle[1]].remove(circle[0])


@cache
def parsed(text: str) -> ast.Module:
    """Return the tree of a source; houses that differ in one file share those of all others."""
    return ast.parse(text)


@cache
def imports(text: str, folder: str) -> frozenset[str]:
    """Return the dotted names that a module in a folder imports, wherever it does so."""
    return frozenset(_imports(text, folder))


def _imports(text: str, folder: str) -> Iterator[str]:
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder.split(".")[: -node.level + 1 or None] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (arg.value for arg in node.args if _is_text(arg))


@cache
def words(text: str) -> tuple[str, ...]:
    """Return the names and the texts in a source, but for those that are help."""
    return tuple(_words(parsed(text)))


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in HELP:
        return
    if isinstance(node, ast.Expr) and _is_text(node.value):
        return
    for field in ("id", "attr", "name", "arg", "module"):
        if isinstance(word := getattr(node, field, None), str):
            yield word
    if _is_text(node):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from _words(child)


@cache
def literals(text: str) -> tuple[str, ...]:
    """Return the texts in a source, but for those that stand alone, as docstrings do."""
    nodes = [*ast.walk(parsed(text))]
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return tuple(node.value for node in nodes if _is_text(node) and id(node) not in alone)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
