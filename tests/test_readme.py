"""README's examples do what README says of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import symmetry
from symmetry.checker.verdict import Kind
from tests.cli.inside import symmetry as command
from tests.cli.process import symmetry as process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
NUMBER = r"-?\d[\d,.]*(?:e[+-]\d+)?"


OUTPUTS = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


def block(name: str) -> str:
    """Return the fenced Python block that begins with the name of its file."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return next(text for text in blocks if text.startswith(f"# {name}\n"))


def shown(text: str) -> list[str]:
    """Return patterns for the lines of an output that README shows.

    A line that is indented goes on the one before it, ``...`` stands for anything, and numbers
    depend on the processor, unless they name a line of the code.
    """
    lines = re.sub(r"\n {4,}", " ", text.strip("\n")).split("\n")
    return [loosely(line) for line in lines if line.strip(" .")]


def loosely(line: str) -> str:
    pieces = re.split(rf"(\.\.\.|\.py:\d+|{NUMBER}|\s+)", line.strip())
    return "".join(map(_pattern, pieces))


def _pattern(piece: str) -> str:
    if piece.isspace():
        return r"\s+"
    if piece == "...":
        return ".*"
    return NUMBER if re.fullmatch(NUMBER, piece) else re.escape(piece)


def test_what_it_is_for_comes_first_and_fits_a_screen():
    opening = README.partition("```")[0]
    assert opening.count("\n") <= 27
    assert "symmetry check train.py" in opening


def test_the_first_two_commands_are_single_lines():
    fences = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)[:2]
    assert [(kind, text.count("\n")) for kind, text in fences] == [("sh", 1), ("sh", 1)]
    assert "symmetry run" in fences[0][1]
    assert "pytest" in fences[1][1]


def test_the_script_is_caught_and_its_line_named(tmp_path):
    (tmp_path / "train.py").write_text(block("train.py"))
    done = command("check", "--verbose", "train.py", cwd=tmp_path)
    assert done.status == 1, done.err
    violated = re.findall(r"^(\S+) +float(?:32|64) +violated", done.out, re.MULTILINE)
    assert violated == ["symmetry/permutation"] * 2 + ["symmetry/clones"] * 2
    said = re.sub(r"\n {4,}", " ", done.out)
    output = next(text for text in OUTPUTS if text.startswith("symmetry/repeatable"))
    opening = README.partition("```")[0]
    (examples,) = re.findall(r"\n\n((?: {4}\S.*\n| {6,}\S.*\n|\n)+)\nYour script", opening)
    for example in (output, re.sub(r"(?m)^ {4}(\$.*\n)?", "", examples)):
        for line in shown(example):
            assert re.search(line, said), line


def test_trainings_are_compared(tmp_path):
    (tmp_path / "pairs.py").write_text(block("pairs.py"))
    output = next(text for text in OUTPUTS if text.startswith("$ symmetry compare pairs"))
    asked, _, said = output.partition("\n")
    done = process(*asked.split()[2:], cwd=tmp_path)
    assert done.status == 1, done.err
    for line in shown(said.replace("\n  ", "\n")):
        assert re.search(line, done.out), line


@pytest.mark.filterwarnings("default")
def test_the_function_is_sound_and_runs_under_pytest(tmp_path):
    (tmp_path / "test_training.py").write_text(block("test_training.py"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed", done.stdout)


def test_the_two_layer_step_is_sound(tmp_path):
    (tmp_path / "step.py").write_text(block("step.py"))
    done = command("check", "step.py:step", "--examples", 10, cwd=tmp_path)
    assert done.status == 0, done.out + done.err


def test_the_line_of_pytorch_s_step_is_the_one_shown():
    file, number, line = re.search(
        r"aten\.mm, (symmetry/\S+):(\d+)\n +(return .*)", README
    ).groups()
    installed = Path(symmetry.__file__).parents[1]
    assert (installed / file).read_text().splitlines()[int(number) - 1].strip() == line


def test_every_kind_of_verdict_is_in_the_table():
    rows = re.findall(r"^\| \*(.*?)\* \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(get_args(Kind))


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!http)(.*?)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
