"""The instructions for coding agents: commands that run, and JSON as the tool prints it."""

from __future__ import annotations

import json
import re
import shlex

import click
import pytest

from symmetry.cli import group
from symmetry.cli.skill import FILE, NAME, page
from tests.cli import process
from tests.cli.inside import symmetry

SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
inputs, labels = torch.randn(64, 6), torch.randint(3, (64,))


for x, y in zip(inputs.split(8), labels.split(8)):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x).softmax(1), y)
    loss.backward()
    optimizer.step()
"""


def commands() -> list[list[str]]:
    """Return the commands of the page, without the first word."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page(), re.DOTALL))
    lines = [*blocks.splitlines(), *re.findall(r"`(symmetry [^`]*)`", page())]
    return [shlex.split(line)[1:] for line in lines if line]


def test_it_is_a_skill():
    _, head, text = page().split("---\n", 2)
    facts = dict(line.split(": ", 1) for line in head.splitlines())
    assert facts["name"] == NAME
    assert 40 < len(facts["description"]) < 1024
    assert text.startswith("\n# ")


def test_its_commands_have_options_that_exist():
    assert len(commands()) > 10
    for name, *words in commands():
        command = group.commands[name]
        own = words[: words.index("--")] if "--" in words else words
        known = {option for param in command.params for option in param.opts}
        given = {word for word in own if word.startswith("--") and " " not in word}
        assert given <= known, (name, words)
        assert isinstance(command, click.Command)


def test_it_is_printed_and_installed(tmp_path):
    assert symmetry("skill", cwd=tmp_path).out == page()
    done = symmetry("skill", "--install", ".claude/skills", cwd=tmp_path)
    file = tmp_path / ".claude" / "skills" / NAME / FILE
    assert (done.status, file.read_text()) == (0, page())


@pytest.mark.slow
def test_its_example_is_what_the_tool_prints(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    done = symmetry("check", "train.py", "--format", "json", "--only", "loss/*", cwd=tmp_path)
    printed = json.loads(done.out)
    (example,) = re.findall(r"```json\n(.*?)```", page(), re.DOTALL)
    shown = json.loads(example)
    shown["problems"][0]["id"] = printed["problems"][0]["id"]
    assert {name: printed[name] for name in shown} == shown


ARGUMENTS = """import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--resume")
options = parser.parse_args()
"""
RESUMING = """if options.resume:
    saved = torch.load(options.resume)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
"""
SAVING = """    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, "last.pt")
"""
# The whole check is tested elsewhere.
ONE_LAW = {"--list", "--about", "--only", "--resume-with", "--ranks"}


@pytest.mark.slow
@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_its_commands_run(tmp_path, words):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    script = SCRIPT.replace("inputs, labels", f"{RESUMING}inputs, labels", 1)
    for folder in (tmp_path, tmp_path / "package"):
        (folder / "train.py").write_text(ARGUMENTS + script + SAVING)
    if words[0] == "check" and not ONE_LAW.intersection(words):
        words = ["check", "--only", "loss/inputs", *words[1:]]
    if words[0] == "compare":
        process.symmetry("record", "train.py", words[1], cwd=tmp_path)
    done = process.symmetry(*words, cwd=tmp_path)
    assert done.status in (0, 1), done
    assert "error" not in done.err
