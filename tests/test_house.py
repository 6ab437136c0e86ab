"""The house is as it is meant, and what is not would be seen."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import symmetry
from tests.house import House

ROOT = Path(symmetry.__file__).parents[1]


@cache
def house() -> House:
    return House.read(ROOT)


@cache
def faults() -> list[str]:
    return house().faults()


def test_the_house_is_as_it_is_meant() -> None:
    assert faults() == []


def test_each_folder_of_the_package_has_tests_of_its_name() -> None:
    tests = Path(__file__).parent
    for name in house().folders - {"symmetry"}:
        place = tests.joinpath(*name.split(".")[1:])
        file = place.with_name(f"test_{place.name}.py")
        assert file.is_file() or any(place.rglob("test_*.py")), name


def files() -> dict[str, str]:
    """Return the text of each file of the package by its path."""
    ends = {name: "/__init__.py" if name in house().folders else ".py" for name in house().texts}
    return {name.replace(".", "/") + ends[name]: text for name, text in house().texts.items()}


@pytest.mark.parametrize(
    ("file", "code", "fault"),
    [
        (
            "units/state.py",
            "def late():\n    from symmetry.checker import verdict\n",
            "symmetry.units.state (floor 1) imports symmetry.checker.verdict (floor 8)",
        ),
        (
            "base/files.py",
            "import typing\nif typing.TYPE_CHECKING:\n    from symmetry.units import state\n",
            "symmetry.base.files (floor 0) imports symmetry.units.state (floor 1)",
        ),
        (
            "finding/find.py",
            "def late():\n    from ..invariants import unread\n",
            "symmetry.finding.find (floor 7) imports symmetry.invariants.unread (floor 7)",
        ),
        (
            "law/case.py",
            "import importlib\nimportlib.import_module('symmetry.api')\n",
            "symmetry.law.case (floor 4) imports symmetry.api (floor 16)",
        ),
        (
            "units/compare.py",
            "def late():\n    from symmetry.units import state\n",
            "a circle: symmetry.units.",
        ),
        (
            "torch/modes/new.py",
            "from symmetry.torch.script import world\n",
            "a circle: symmetry.torch.",
        ),
        ("units/state.py", "def late():\n    import torch\n", "symmetry.units.state imports torch"),
        (
            "finding/find.py",
            "from symmetry.torch import state\n",
            "symmetry.finding.find imports symmetry.torch, but works with any framework",
        ),
        (
            "finding/find.py",
            "from symmetry.jax import run\n",
            "symmetry.finding.find imports symmetry.jax, but works with any framework",
        ),
        ("units/new/__init__.py", "", "symmetry.units.new does not say what it holds"),
        ("units/new/__init__.py", '"""One.\n\nTwo.\n"""', "symmetry.units.new does not say"),
        ("units/new.py", '"""New."""\n' + 30_000 * "1\n", "symmetry.units is 2"),
        (
            "law/case.py",
            "def tensors(torch):\n    return torch\n",
            "symmetry.law.case has a word of a framework: torch",
        ),
        (
            "law/case.py",
            'CURE = "use jax.numpy"\n',
            "symmetry.law.case has a word of a framework: use jax.numpy",
        ),
        (
            "law/case.py",
            'NAME = f"{1} symmetry/clones"\n',
            "symmetry.law.case names symmetry/clones: only its own file may",
        ),
        (
            "law/case.py",
            "asked = [isinstance(1, StepTarget)\n" + 3 * ", of_training\n" + "]\n",
            " places ask for the kind of a target: symmetry.",
        ),
    ],
    ids=[
        "deferred",
        "for types",
        "same floor",
        "by name",
        "circle",
        "circle of folders",
        "framework",
        "pytorch",
        "jax",
        "no docstring",
        "long docstring",
        "large room",
        "name of a framework",
        "word of a framework",
        "name of an invariant",
        "kind of target",
    ],
)
def test_what_is_not_as_it_is_meant_is_seen(file: str, code: str, fault: str) -> None:
    texts, path = files(), f"symmetry/{file}"
    changed = House(texts | {path: texts.get(path, "") + code})
    assert [line for line in changed.faults() if fault in line and line not in faults()]


TRAININGS = """
import torch
from torch import nn


def sound(rows=None):
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        torch.manual_seed(i)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 5)), torch.randint(4, (16,))).backward()
        model[0].weight.grad[:rows] *= 0.5
        optimizer.step()

    return model, step


def broken():
    return sound(rows=-1)
"""
WITHOUT_WINGS = """
import sys


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in ("symmetry.steps", "symmetry.experiment", "symmetry.network"):
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Hidden())
import symmetry
import trainings

for training in (trainings.sound, trainings.broken):
    report = symmetry.check(training, only="symmetry/permutation")
    print(*sorted({verdict.kind for verdict in report.verdicts}))
"""


@pytest.mark.slow
def test_trainings_are_checked_without_the_wings_above_them(tmp_path: Path) -> None:
    (tmp_path / "trainings.py").write_text(TRAININGS)
    (tmp_path / "without_wings.py").write_text(WITHOUT_WINGS)
    done = subprocess.run(
        [sys.executable, "without_wings.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "holds\nviolated\n", done.stderr
