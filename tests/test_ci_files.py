"""The files for the CI of others: hooks, an action, the snippet of README; all are run by hand."""

from __future__ import annotations

import re
import shlex
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
