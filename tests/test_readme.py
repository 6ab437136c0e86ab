"""README's examples do what README says of them, and its names are those of the program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from symmetry.cli import group
from symmetry.targets.kinds import invariants
from tests.cli.inside import symmetry as command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
NUMBER = r"-?\d[\d,.]*(?:e[+-]\d+)?"
LONGEST = 320  # lines: a stranger reads it in five minutes


def block(name: str) -> str:
    """Return the fenced Python block that begins with the name of its file."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return next(text for text in blocks if text.startswith(f"# {name}\n"))


def section(title: str) -> str:
    """Return the text under a heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def shown(text: str) -> list[str]:
    """Return patterns for the lines of an output that README shows.

    ``...`` stands for anything, and numbers depend on the processor, unless they name a line.
    """
    return [loosely(line) for line in text.split("\n") if line.strip(" .")]


def loosely(line: str) -> str:
    pieces = re.split(rf"(\.\.\.|\.py:\d+|{NUMBER}|\s+)", line.strip())
    return "".join(map(_pattern, pieces))


def _pattern(piece: str) -> str:
    if piece.isspace():
        return r"\s+"
    if piece == "...":
        return ".*"
    return NUMBER if re.fullmatch(NUMBER, piece) else re.escape(piece)


def test_it_is_short_and_says_first_what_it_is_for():
    opening = README.partition("```")[0]
    assert opening.count("\n") <= 27
    assert "symmetry check train.py" in opening
    assert README.count("\n") <= LONGEST


def test_the_first_two_commands_are_single_lines():
    fences = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)[:2]
    assert [(kind, text.count("\n")) for kind, text in fences] == [("sh", 1), ("sh", 1)]
    assert "symmetry run" in fences[0][1]
    assert "pytest" in fences[1][1]


def test_the_script_is_caught_and_its_line_named(tmp_path):
    (tmp_path / "train.py").write_text(block("train.py"))
    done = command("check", "train.py", cwd=tmp_path)
    assert done.status == 1, done.err
    assert "train.py:16" in "".join(done.out.splitlines(keepends=True)[:3])
    opening = re.findall(r"(?m)^ {4}(?!\$)(.*)$", README.partition("```")[0])
    (output,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    for line in [*shown("\n".join(opening)), *shown(output)]:
        assert re.search(line, done.out), line


@pytest.mark.slow
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


def test_the_checks_in_the_table_of_bugs_exist():
    rows = [row for row in section("What it finds").splitlines() if row.startswith("| ")][1:]
    named = [name for row in rows for name in re.findall(r"`(\w+/[\w-]+)`", row.split("|")[2])]
    assert len(named) >= len(rows) > 20
    assert set(named) <= {invariant.name for invariant in invariants()}


def test_every_command_is_listed():
    named = re.findall(r"(?m)^\| `symmetry (\w+)` \|", section("The commands"))
    assert sorted(named) == sorted(group.commands)


def test_every_library_is_justified():
    metadata = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[0]
    needed = re.findall(r'"([\w-]+)(?:\[\w+\])?>=', metadata.partition("dependencies = [")[2])
    said = section("Libraries").lower().replace("pytorch", "torch")
    assert [name for name in needed if name.replace("-learn", "") not in said] == []


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!http)(.*?)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_report_has_a_line():
    index = (ROOT / "reports" / "README.md").read_text()
    reports = [file.name for file in (ROOT / "reports").glob("*.md") if file.name != "README.md"]
    assert [name for name in reports if f"]({name})" not in index] == []
    commands = re.findall(r"\| `([^`]+)`[^|]*\|$", index, re.MULTILINE)
    assert len(commands) == len(reports) + 1  # and the findings
