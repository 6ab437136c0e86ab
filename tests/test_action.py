"""The composite action: its parts are those of GitHub's schema, its commands run with stubs."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needs

pytestmark = needs("yaml")
FILE = Path(__file__).parents[1] / ".github" / "check" / "action.yml"
# As GitHub's schema of actions has them.
OF_ACTION = {"name", "description", "author", "inputs", "outputs", "runs", "branding"}
OF_INPUT = {"description", "required", "default", "deprecationMessage"}
OF_STEP = {"id", "if", "name", "uses", "with", "run", "shell", "env", "working-directory"}
OF_STEP |= {"continue-on-error"}
STUB = """#!{python}
import os, sys
with open(os.environ["CALLS"], "a") as file:
    print(os.path.basename(sys.argv[0]), sys.argv[1:], file=file)
if "symmetry" in sys.argv[0]:
    print(os.environ.get("SARIF", ""), end="")
    sys.exit(int(os.environ.get("STATUS", "0")))
"""


@cache
def action() -> dict[str, Any]:
    """Return what the file says."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


def steps() -> list[dict[str, Any]]:
    """Return the steps of the action."""
    found: list[dict[str, Any]] = action()["runs"]["steps"]
    return found


def test_it_has_the_parts_that_the_schema_allows():
    assert {*action()} <= OF_ACTION
    assert action()["runs"]["using"] == "composite"
    assert all({*each} <= OF_INPUT for each in action()["inputs"].values())
    assert all({*each} <= {"description", "value"} for each in action()["outputs"].values())
    for step in steps():
        assert {*step} <= OF_STEP
        assert ("run" in step) != ("uses" in step)
        assert ("run" in step) <= ("shell" in step)


def test_no_input_is_in_the_text_of_a_command():
    assert not any("${{" in step.get("run", "") for step in steps())


def test_the_cache_is_asked_for_only_where_there_is_a_file():
    cached = [step for step in steps() if "cache" in step.get("with", {})]
    assert all("hashFiles" in step["if"] for step in cached)
    assert len([step for step in steps() if "setup-python" in step.get("uses", "")]) == 2


def run(folder: Path, name: str, **variables: str) -> tuple[int, str, str]:
    """Run the command of a step with stubs; return its status, the calls, and its outputs."""
    (step,) = [step for step in steps() if step.get("name") == name]
    for stub in ("pip", "symmetry"):
        (file := folder / stub).write_text(STUB.format(python=sys.executable))
        file.chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    calls, output = folder / "calls", folder / "output"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "CALLS": str(calls), "GITHUB_OUTPUT": str(output), "ACTION": "/a/check"}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**os.environ, **own, **variables},
        check=False,
    )
    texts = [file.read_text() if file.exists() else "" for file in (calls, output)]
    return done.returncode, texts[0], texts[1]


@pytest.mark.skipif(os.name == "nt", reason="bash")
@pytest.mark.parametrize("status", ["0", "1", "2"])
def test_the_status_of_the_check_is_that_of_the_step(tmp_path, status):
    found = run(tmp_path, "Check", ARGUMENTS="train.py -- --epochs 1", STATUS=status, SARIF="{}")
    assert found[0] == int(status)
    expected = ["check", "--format", "sarif", "train.py", "--", "--epochs", "1"]
    assert found[1] == f"symmetry {expected}\n"
    assert found[2] == "sarif=symmetry.sarif\n"


@pytest.mark.skipif(os.name == "nt", reason="bash")
def test_nothing_is_uploaded_if_nothing_was_printed(tmp_path):
    assert run(tmp_path, "Check", ARGUMENTS="", STATUS="2", SARIF="")[::2] == (2, "")
    (upload,) = [step for step in steps() if "upload-sarif" in step.get("uses", "")]
    assert "steps.check.outputs.sarif != ''" in upload["if"]


@pytest.mark.skipif(os.name == "nt", reason="bash")
@pytest.mark.parametrize(
    "text", ["a.py; touch hacked", "$(touch hacked)", "`touch hacked`", "'a b'"]
)
def test_an_input_is_never_a_command(tmp_path, text):
    status, calls, _ = run(tmp_path, "Check", ARGUMENTS=text, SARIF="{}")
    assert (status, (tmp_path / "hacked").exists()) == (0, False)
    assert calls.startswith("symmetry ['check', '--format', 'sarif', ")


@pytest.mark.skipif(os.name == "nt", reason="bash")
def test_requirements_are_words_of_pip(tmp_path):
    _, calls, _ = run(tmp_path, "Install", REQUIREMENTS="-r requirements.txt", FRAMEWORK="jax")
    assert calls == "pip ['install', '-r', 'requirements.txt', '/a/check/../..[jax]']\n"
