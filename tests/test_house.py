"""The house: which floor each folder is on, and which imports run down.

Imports inside of functions and those for type checkers count like all others: who moves code must
be able to trust that a floor needs nothing above it.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import symmetry

ROOT = Path(symmetry.__file__).parents[1]
FLOORS = (
    ("base",),
    ("units",),
    ("observe", "network", "data"),
    ("steps", "trainings"),
    ("builtin", "experiment", "invariants", "finding"),
    ("targets",),
    ("checker",),
    ("culprit", "comparison"),
    ("report",),
    ("api",),
    ("cli", "testing"),
    ("__init__", "__main__"),  # the door
)
FLOOR = {wing: floor for floor, wings in enumerate(FLOORS) for wing in wings}
MOST = 13  # modules in a folder; `report` has one for each thing that is rendered
LONG = 60  # lines; a longer module has a test file of its name, or a reason why it has none
WITHOUT_TESTS = {
    "culprit.explained": "records",
    "comparison.outcome": "records",
    "culprit.watched": "what watched starts promise",
    "trainings.run": "what runs promise",
    "units.start": "what starts promise",
    **dict.fromkeys(
        (f"comparison.{name}" for name in ("compare", "judge", "side")),
        "whole trainings are compared: tests/comparison",
    ),
}
FRAMEWORKS = {"torch", "jax"}
CONTRIBUTING = (Path(__file__).parents[1] / ".github" / "CONTRIBUTING.md").read_text()
_MAY = re.search(r"Only (.*?) import torch or jax", CONTRIBUTING, re.DOTALL)
MAY_IMPORT = tuple(re.findall("`(.*?)`", _MAY[1] if _MAY else ""))


class House:
    """The package in a folder, and the arrows from each of its modules to what that imports."""

    def __init__(self, root: Path) -> None:
        self.files = {
            ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
            for file in sorted((root / "symmetry").rglob("*.py"))
        }
        self.trees = {name: ast.parse(file.read_text()) for name, file in self.files.items()}
        self.arrows = {name: set(self._imported(name)) for name in self.files}

    def _imported(self, name: str) -> Iterator[str]:
        """Yield what a module imports: modules of the package, and names of other packages."""
        at_home = [*name.split("."), ""] if self.files[name].stem == "__init__" else name.split(".")
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                yield from (self._module(alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = at_home[: -node.level] if node.level else []
                source = ".".join([*above, *filter(None, [node.module])])
                yield from (self._module(f"{source}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                yield from (self._module(arg.value) for arg in node.args if _is_text(arg))

    def _module(self, name: str) -> str:
        """Return the module behind a dotted name whose end may be what the module defines."""
        if name.partition(".")[0] != "symmetry":
            return name.partition(".")[0]
        while name not in self.files:
            name = name.rpartition(".")[0]
        return name

    def faults(self) -> list[str]:
        """Return a line for each thing that is not as the house is meant."""
        return [
            *self._upward(),
            *self._circles(),
            *self._crowded(),
            *self._unsaid(),
            *self._leaks(),
        ]

    def _upward(self) -> Iterator[str]:
        for name, imported in self.arrows.items():
            for other in sorted(imported & self.files.keys()):
                if wing(name) != wing(other) and floor(name) <= floor(other):
                    yield f"{name} (floor {floor(name)}) imports {other} (floor {floor(other)})"

    def _circles(self) -> Iterator[str]:
        """Look for circles between modules; between folders the floors leave none."""
        modules = {name: (to & self.files.keys()) - {name} for name, to in self.arrows.items()}
        while True:
            try:
                TopologicalSorter(modules).prepare()
                return
            except CycleError as error:
                circle = error.args[1]
                yield f"a circle: {' <- '.join(circle)}"
                modules[circle[1]].remove(circle[0])

    def _crowded(self) -> Iterator[str]:
        held = Counter(file.parent.name for file in self.files.values() if file.stem[:2] != "__")
        for name, modules in held.items():
            if modules > MOST and name != "report":
                yield f"{name} holds {modules} modules"

    def _unsaid(self) -> Iterator[str]:
        for name, tree in self.trees.items():
            said = ast.get_docstring(tree) or ""
            if not said or ("\n" in said and self.files[name].stem == "__init__" and "." in name):
                yield f"{name} does not say what it holds, in one line if it is a folder"

    def _leaks(self) -> Iterator[str]:
        for name, imported in self.arrows.items():
            inside = name.removeprefix("symmetry.").replace(".", "/")
            if imported & FRAMEWORKS and not inside.startswith(MAY_IMPORT):
                yield f"{name} imports {', '.join(imported & FRAMEWORKS)}"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def wing(name: str) -> str:
    """Return the folder, or the module, right below the package that a dotted name lies in."""
    return name.split(".")[1] if "." in name else "__init__"


def floor(name: str) -> int:
    return FLOOR[wing(name)]


def test_the_house_is_as_it_is_meant() -> None:
    assert House(ROOT).faults() == []


def test_long_modules_have_a_test_file_of_their_name() -> None:
    tests, house = Path(__file__).parent, House(ROOT)
    inside = {name.removeprefix("symmetry."): file for name, file in house.files.items()}
    assert WITHOUT_TESTS.keys() <= inside.keys()
    for name, file in inside.items():
        if file.stem[:2] != "__" and len(file.read_text().splitlines()) > LONG:
            place = tests.joinpath(*name.split("."))
            assert name in WITHOUT_TESTS or place.with_name(f"test_{place.name}.py").is_file(), name


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package."""
    package = ROOT / "symmetry"
    shutil.copytree(
        package,
        tmp_path / "symmetry",
        ignore=lambda folder, names: [
            name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())
        ],
    )
    return tmp_path


@pytest.mark.parametrize(
    ("file", "code", "fault"),
    [
        (
            "units/state.py",
            "def late():\n    from symmetry.checker import verdict\n",
            "symmetry.units.state (floor 1) imports symmetry.checker.verdict (floor 6)",
        ),
        (
            "base/files.py",
            "import typing\nif typing.TYPE_CHECKING:\n    from symmetry.units import state\n",
            "symmetry.base.files (floor 0) imports symmetry.units.state (floor 1)",
        ),
        (
            "data/idx.py",
            "def late():\n    from ..network import core\n",
            "symmetry.experiment.data.idx (floor 2) imports symmetry.network.core (floor 2)",
        ),
        (
            "steps/case.py",
            "import importlib\nimportlib.import_module('symmetry.api')\n",
            "symmetry.law.case (floor 3) imports symmetry.api (floor 9)",
        ),
        (
            "units/compare.py",
            "def late():\n    from symmetry.units import state\n",
            "a circle: symmetry.units.",
        ),
        ("units/state.py", "def late():\n    import torch\n", "symmetry.units.state imports torch"),
        ("new/__init__.py", "", "symmetry.new does not say what it holds"),
    ],
)
def test_what_is_not_as_it_is_meant_is_found(
    copy: Path, monkeypatch: pytest.MonkeyPatch, file: str, code: str, fault: str
) -> None:
    monkeypatch.setitem(FLOOR, "new", 0)
    changed = copy / "symmetry" / file
    changed.parent.mkdir(exist_ok=True)
    changed.write_text((changed.read_text() if changed.exists() else "") + code)
    assert [line for line in House(copy).faults() if line.startswith(fault)]


def test_a_crowded_folder_is_found(copy: Path) -> None:
    for number in range(MOST):
        (copy / "symmetry" / "units" / f"more{number}.py").write_text('"""More."""\n')
    assert [line for line in House(copy).faults() if re.fullmatch(r"units holds \d+ modules", line)]
