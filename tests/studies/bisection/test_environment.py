"""Environments with one release, and commands that run there."""

from __future__ import annotations

import subprocess

import pytest

from tests.studies.bisection.environment import CannotInstall, environment
from tests.studies.bisection.trial import tried
from tests.studies.bisection.wheels import NAME, write_wheels

ASK = f"import {NAME}, numpy, symmetry; print({NAME}.number, numpy.__version__)"
STEP = f"""
import {NAME}
from symmetry.network import formulas

def step(x, y, w1, w2, lr):
    w1, w2 = formulas.step(x, y, w1, w2, lr)
    w2[-1] += {NAME}.number
    return w1, w2
"""


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Write three releases, the last of which requires a library that does not exist."""
    (tmp_path / "wheels").mkdir()
    sources = {"1.0": "number = 0", "1.1": "number = 1", "1.2": "number = 2"}
    found = write_wheels(tmp_path / "wheels", sources, {"1.2": "nowhere"})
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.mark.slow
def test_an_environment_has_its_release_and_all_else_of_ours(wheels):
    import numpy as np

    for release, number in (("1.0", 0), ("1.1", 1), ("1.0", 0)):
        python = environment(wheels, NAME, release, [])
        said = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=True)
        assert said.stdout == f"{number} {np.__version__}\n"
    with pytest.raises(CannotInstall, match="nowhere"):
        environment(wheels, NAME, "1.2", [])


IGNORED = "Ignored the following versions that require a different python version: "
NONE = "Could not find a version that satisfies the requirement "
CONFLICT = "Cannot install toylib==1.2 because these package versions have conflicts."


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (
            [
                f"{IGNORED}1.1 Requires-Python >=3.99; 1.2 Requires-Python >=3.98,<4",
                f"{NONE}toylib==1.2 (from versions: 1.0)",
                "No matching distribution found for toylib==1.2",
            ],
            "it needs Python >=3.98,<4",
        ),
        (
            [f"{NONE}other<2 (from versions: 2, 3)", "No matching distribution found for other<2"],
            "No matching distribution found for other<2",
        ),
        ([CONFLICT, "ResolutionImpossible: for help visit a page"], CONFLICT),
        ([], "pip ended with exit status 1"),
    ],
)
def test_the_reason_is_one_sentence_of_pip(errors, reason, tmp_path, monkeypatch):
    text = "".join(f"ERROR: {error}\n" for error in errors)
    failed = subprocess.CompletedProcess([], 1, "", text)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(CannotInstall) as raised:
        environment(tmp_path, NAME, "1.2", [])
    assert str(raised.value) == reason


@pytest.mark.slow
def test_the_verdict_is_that_of_the_release(wheels, monkeypatch):
    monkeypatch.chdir(wheels)
    (wheels / "toy.py").write_text(STEP)
    words = ["check", "toy.py:step", "--only", "symmetry/permutation", "--examples", "5"]
    trials = [tried(environment(wheels, NAME, r, []), r, words) for r in ("1.0", "1.1")]
    assert [(trial.status, trial.broken) for trial in trials] == [
        (0, ()),
        (1, ("symmetry/permutation",)),
    ]
    assert trials[0].line == "toy.py:step: sound (1 check)"
