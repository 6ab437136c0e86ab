"""The files for the CI of others: hooks, an action, the snippet of README; all are run by hand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from symmetry.cli import check
from symmetry.cli.configuration import configuration

ROOT = Path(__file__).parents[1]
TEXTS = {
    "hook": (ROOT / ".pre-commit-hooks.yaml").read_text(),
    "action": (ROOT / ".github" / "check" / "action.yml").read_text(),
    "README": (ROOT / "README.md").read_text(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_their_commands_have_options_that_exist(name):
    lines = re.findall(r"(?:run:|entry:|^ +)\s*symmetry check ([^\n>]*)", TEXTS[name], re.MULTILINE)
    assert lines
    known = {option for param in check.command.params for option in param.opts}
    for line in lines:
        options = [word for word in shlex.split(line) if word.startswith("--")]
        assert {*options} <= known


def test_the_table_of_readme_is_understood(tmp_path, monkeypatch):
    (table,) = re.findall(r"```toml\n(.*?)```", TEXTS["README"], re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(table)
    command = check.command
    assert isinstance(command, click.Command)
    assert {*configuration(command)} == {*tomllib.loads(table)["tool"]["symmetry"]}


def test_the_action_installs_this_project():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    default = re.search(r"framework:\n.*\n    default: (\w+)", TEXTS["action"])
    assert default
    assert default[1] in extras["optional-dependencies"]
    for option in re.findall(r"inputs\.([\w-]+)", TEXTS["action"]):
        assert f"\n  {option}:\n" in TEXTS["action"]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def budget(folder: Path, *arguments: str) -> tuple[int, str]:
    """Return the exit status of the budget in a checkout of its own, and its sentences."""
    git(folder, "add", ".")
    command = [sys.executable, folder / ".ci" / "budget", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True)
    return ended.returncode, ended.stderr


@pytest.fixture
def checkout(tmp_path):
    """Return a small checkout whose lines and files are those of its budget."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    for tree in ("symmetry", "tests"):
        (tmp_path / tree).mkdir()
        (tmp_path / tree / "code.py").write_text("pass\n" * 10)
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "a")
    figures = {
        f"{tree} {kind}": 10 for tree in ("symmetry", "tests") for kind in ("lines", "files")
    }
    (tmp_path / ".ci" / "budget.json").write_text(json.dumps(figures))
    assert budget(tmp_path, "--lower") == (0, "")
    git(tmp_path, "commit", "-a", "-m", "b")
    return tmp_path


def test_a_hundred_lines_more_are_refused(checkout):
    (checkout / "symmetry" / "code.py").write_text("pass\n" * 110)
    assert budget(checkout, "--lower") == (
        1,
        "symmetry lines: 110, 100 more than the budget of 10: take away as much as you add\n",
    )


def test_a_budget_is_lowered_and_never_raised(checkout):
    (checkout / "tests" / "code.py").write_text("pass\n" * 9)
    status, sentence = budget(checkout)
    assert (status, "below the budget of 10: run .ci/budget --lower" in sentence) == (1, True)
    figures = checkout / ".ci" / "budget.json"
    figures.write_text(figures.read_text().replace("10", "12"))
    status, sentence = budget(checkout)
    assert "the budget of tests lines was 10, and is 12: it is never raised" in sentence
    assert budget(checkout, "--lower") == (0, "")
