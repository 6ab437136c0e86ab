"""``symmetry units`` as a process, and the errors that it answers with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from symmetry import SymmetryError, find_units
from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line

TRAININGS = """\
import torch
from torch import nn


def made(loss, model=None):
    model = model or nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Tanh(), nn.Linear(4, 2))

    def step(i):
        return loss(model, torch.arange(12.0 + i)[i:].reshape(4, 3))

    return model, step


def scaled():
    def forward(model, x):
        hidden = model[0](x) * torch.linspace(1, 2, 4)
        return (model[2:](hidden) * torch.arange(1, 3)).square().mean().backward()

    return made(forward)


def sound():
    return made(lambda model, x: (model(x) * torch.arange(1, 3)).square().mean().backward())


def returned():
    return made(lambda model, x: model(x).square().mean())


def nan():
    return made(lambda model, x: (model(x).mean() * float("nan")).backward())


def zero():
    return made(lambda model, x: (model(x).mean() * 0).backward())


def nothing():
    return made(lambda model, x: None)


def no_parameters():
    return made(lambda model, x: model(x).sum().backward(), nn.Tanh())


def no_model():
    return torch.zeros(2), lambda i: None


def no_number():
    return nn.Linear(2, 2), lambda: None


def raising():
    return made(lambda model, x: model(x.t()))


def step(x, y, w1, w2, lr):
    return w1, w2
"""


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(TRAININGS)
    return tmp_path


def test_the_groups_and_the_rest_are_listed(cwd: Path) -> None:
    finished = symmetry("units", "mine.py:sound", "--json", "units.json", cwd=cwd)
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.splitlines() == [
        "Sequential: 1 group of equal units",
        "          4  layer 0 units",
        "in no group",
        "          3  model.0.weight axis 1: input",
        "          2  model.3.weight axis 0: output",
        "          2  model.3.bias axis 0: output",
        "random operations, replaced by their means",
        "             bernoulli at mine.py:23",
    ]
    found = json.loads((cwd / "units.json").read_text())
    assert [*found][:4] == ["model", "groups", "uncovered", "random"]
    assert (found["without_units"], found["without_gradient"]) == ([], [])
    (group,) = found["groups"]
    assert (group["name"], group["units"], group["of"]) == ("layer 0 units", 4, 4)
    assert [(part["array"], part["axis"]) for part in group["parts"]] == [
        ("model.0.weight", 0),
        ("model.0.bias", 0),
        ("model.3.weight", 1),
    ]
    assert found["uncovered"][0] == {
        "array": "model.0.weight",
        "axis": 1,
        "size": 3,
        "why": "input",
    }


def test_layers_without_equal_units_are_listed_with_their_line(cwd: Path) -> None:
    finished = symmetry("units", "mine.py:scaled", "--json", "units.json", cwd=cwd)
    place = "mine.py:16 multiplies each by a number of its own"
    assert finished.out.splitlines()[-2:] == [
        "layers without equal units",
        f"             layer 0: 4 units, none equal: {place}",
    ]
    assert "4  model.0.weight axis 0: a constant for each" in finished.out
    (layer,) = json.loads((cwd / "units.json").read_text())["without_units"]
    assert (layer["module"], layer["why"], layer["line"]) == ("0", place, 16)


def test_what_cannot_be_found_is_one_line(cwd: Path) -> None:
    finished = symmetry("units", "mine.py:nan", cwd=cwd)
    assert_one_line(finished, "mine.py:nan: the loss of step(0) is nan")


def test_a_step_may_return_its_loss(cwd: Path) -> None:
    assert "4  layer 0 units" in repr(find_units(f"{cwd}/mine.py:returned"))


def test_a_loss_of_zero_tells_nothing(cwd: Path) -> None:
    coverage = find_units(f"{cwd}/mine.py:zero")
    assert coverage.groups == ()
    assert [slices.why for slices in coverage.uncovered] == ["no gradient"] * 6
    assert coverage._repr_html_().startswith("<pre>Sequential: 0 groups of equal units\n")


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("nothing", "step(0) neither computes gradients nor returns its loss"),
        ("no_parameters", "has no parameters"),
        ("no_model", "returned a Tensor for the model"),
        ("no_number", "step(0) raised TypeError"),
        ("raising", "step(0) raised RuntimeError"),
        ("step", "is a two-layer step: expected a training"),
        ("missing", "no attribute 'missing'"),
    ],
)
def test_what_goes_wrong_is_told(name: str, phrases: str, cwd: Path) -> None:
    with pytest.raises(SymmetryError, match=re.escape(phrases)):
        find_units(f"{cwd}/mine.py:{name}")
