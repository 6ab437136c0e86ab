"""What CONTRIBUTING names exists, and its recipes work when they are followed to the letter."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import symmetry
from symmetry.cli import group
from tests.cli.process import symmetry as run
from tests.house import House

ROOT = Path(__file__).parents[1]
PACKAGE = Path(symmetry.__file__).parent  # an installed one has no tests beside it
TEXT = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))))
COMMANDS = re.findall(r"`((?:python|symmetry|ruff) [^`\n]*|\.ci/\w+)`", TEXT)
PLACES = (ROOT, PACKAGE.parent, PACKAGE, ROOT / "tests", ROOT / "reports")
SOURCES = {
    file: file.read_text() for place in (PACKAGE, ROOT / "tests") for file in place.rglob("*.py")
}


def there(pattern: str) -> bool:
    """Return whether a path, which may hold ``*`` or ``{a,b}``, exists from where it may start."""
    if found := re.search(r"\{(.*?)\}", pattern):
        pieces = found[1].split(",")
        return all(there(pattern.replace(found[0], piece)) for piece in pieces)
    return any(any(place.glob(pattern)) for place in PLACES)


@pytest.mark.parametrize("name", [n for n in NAMED if re.fullmatch(r"[\w./{},*-]*[\w*]", n)])
def test_paths_classes_and_functions_exist(name: str) -> None:
    if "NAME" in name or name.isupper():  # to be filled in; a constant
        assert "NAME" in name or any(re.search(rf"\b{name}\b", text) for text in SOURCES.values())
    elif there(name) or there(f"{name}.py"):
        return
    elif found := re.fullmatch(r"(?:(\w+)\.)?(\w+)", name):
        module, attribute = found.groups()
        texts = [text for file, text in SOURCES.items() if module in (None, file.stem)]
        assert any(re.search(rf"\b{attribute}\b *[(:=]", text) for text in texts), name
    else:
        pytest.fail(f"{name} is not there")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command: str) -> None:
    for words in map(str.split, re.split(r" && ", command)):
        if words[:2] == ["python", "-m"]:
            assert find_spec(words[2])
        elif words[0] == "symmetry":
            assert words[1] in (*group.commands, "--help")
        else:
            assert words[0] in ("ruff", "mypy") or (ROOT / words[0]).is_file()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package, but for its images."""
    ignored = shutil.ignore_patterns("__pycache__", "mnist")
    shutil.copytree(PACKAGE, tmp_path / "symmetry", ignore=ignored)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


TRAINING_INVARIANT = '''"""``training/small``: a step is small."""

from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.model import Optimizing
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import has_moved


def small(start: TrainingStart) -> Measurement:
    """Compare the state after a step with what it was: no entry gets a million times as large."""
    run = start.begin()
    run.step()
    after = run.state()
    if not has_moved(start.state, [after]):
        return Measurement(counted=False)
    for name, before in start.state.items():
        entry = compare.largest_entry(abs(after[name]))
        if abs(after[name][entry]) > 1e6 * max(1.0, float(abs(before).max())):
            text = "{at} has become {b:.3g}"
            found = Violation.between(before, after[name], text, 1, name, entry=entry)
            return Measurement.violated(found)
    return Measurement(counted=True)


INVARIANT = TrainingInvariant(
    name="training/small",
    statement="no weight becomes a million times as large in one step",
    reason="an update is a small multiple of the gradient",
    witness="a state that moved",
    needs=(Optimizing,),
    measure=small,
)
'''
STEP_MEASURE = '''

def small(start: StepStart) -> Measurement:
    """Compare the weights after a step with what they were: none gets a million times as large."""
    after = start.step()
    if not has_moved(start.state, [after]):
        return Measurement(counted=False)
    largest = max(1.0, float(abs(start.w2).max()))
    entry = compare.largest_entry(abs(after["w2"]))
    if abs(after["w2"][entry]) <= 1e6 * largest:
        return Measurement(counted=True)
    text = "{at} has become {b:.3g}"
    found = Violation.between(start.w2, after["w2"], text, 1, "w2", entry=entry)
    return Measurement.violated(found)
'''
ENTRY = """    StepInvariant(
        name="symmetry/small",
        statement="no weight becomes a million times as large in one step",
        reason="a step is small",
        witness="a state that moved",
        measure=two_layer.small,
    ),
"""
TRAININGS = """import torch


def sound(factor=1):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        optimizer.zero_grad()
        model(torch.ones(5, 3)).square().mean().backward()
        optimizer.step()
        with torch.no_grad():
            model[2].weight.mul_(factor)

    return model, step


def broken():
    return sound(1e9)
"""
STEPS = """from symmetry.network.formulas import step as sound


def broken(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, 1e-3)
    return w1, w2 * w2.dtype.type(1e9)
"""


@cache
def faults_as_it_is() -> list[str]:
    """Return what the package without the recipe has that is not as the house is meant."""
    return House.read(PACKAGE.parent).faults()


def assert_checked(tree: Path, file: str, *options: str) -> None:
    """Check what is broken and what is sound for the new invariant, in one process."""
    asked = ("--in-process", "--verbose", "--no-explain", *options)
    commands = [["check", f"{file}:{name}", *asked] for name in ("broken", "sound")]
    (tree / "commands.json").write_text(json.dumps(commands))
    python = (sys.executable, "-m", "tests.commands")
    path = os.pathsep.join(map(str, (tree, ROOT)))
    done = run("commands.json", cwd=tree, command=python, PYTHONPATH=path)
    assert done.status == 0, done.err
    broken, sound = json.loads((tree / "commands.0").read_text())
    for found, status, verdict in ((broken, 1, "violated"), (sound, 0, "holds")):
        assert found["status"] == status, found
        assert re.search(rf"^\w+/small +float32 +{verdict}", found["out"], re.MULTILINE)


@pytest.mark.slow
def test_the_recipe_for_an_invariant_for_trainings(tree: Path) -> None:
    folder = tree / "symmetry" / "invariants"
    (folder / "training" / "small.py").write_text(TRAINING_INVARIANT)
    head = "FILES = (\n"
    change(folder / "catalogue.py", head, f'{head}    "training.small",\n')
    (tree / "trainings.py").write_text(TRAININGS)
    assert House.read(tree).faults() == faults_as_it_is()
    assert_checked(tree, "trainings.py", "--only", "training/small")


@pytest.mark.slow
def test_the_recipe_for_an_invariant_for_two_layer_steps(tree: Path) -> None:
    folder = tree / "symmetry" / "steps"
    with (folder / "invariants" / "two_layer.py").open("a") as file:
        file.write(STEP_MEASURE)
    head = "CATALOGUE: tuple[StepInvariant, ...] = (\n"
    change(folder / "catalogue.py", head, head + ENTRY)
    (tree / "steps.py").write_text(STEPS)
    assert House.read(tree).faults() == faults_as_it_is()
    assert_checked(tree, "steps.py", "--only", "symmetry/small", "--examples", "5")


@pytest.mark.slow
def test_the_recipe_for_a_built_in_step(tree: Path) -> None:
    (tree / "symmetry" / "steps" / "builtin" / "plain.py").write_text(
        '"""The formulas again."""\n\nfrom symmetry.network.formulas import step\n\n'
        '__all__ = ["step"]\n'
    )
    assert House.read(tree).faults() == faults_as_it_is()
    options = ("--only", "*/clones", "--only", "*/gradient", "--examples", 5)
    done = run("check", "--verbose", "plain", *options, cwd=tree, PYTHONPATH=str(tree))
    assert done.status == 0, done.out + done.err
    assert re.search(r"^network/gradient +float64 +holds", done.out, re.MULTILINE)
