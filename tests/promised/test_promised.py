"""Each row of README's table of bugs is kept: three idioms of the bug, each checked once.

Idioms that the zoo has not are scripts here, which were written by reading a row only. A line of
each names the laws of its row:

    # promised: loop/copies               one of these laws is violated
    # promised: loop/copies as a note     or has a note
    # arguments: --ranks 2                options of the check
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.inside import symmetry
from tests.cli.process import symmetry as in_a_process
from tests.conftest import needs
from tests.faulty.trainings import FAULTS, NOTED
from tests.invariants.loop.test_scripts import FAULTY
from tests.invariants.loop.test_scripts import laws as laws_of
from tests.invariants.resume.scripts import FAULTS as RESUMED
from tests.jax.faulty import ENTRIES as IN_JAX
from tests.test_ranks import DRIFTING
from tests.test_readme import section
from tests.torch.script.ranks.test_ranks import FAULTS as ON_RANKS

pytestmark = pytest.mark.usefixtures("forking")

FOLDER = Path(__file__).parent / "scripts"
IDIOMS = 3
# One script of each family is quick, the cheapest.
QUICK = {
    "best_is_no_copy",
    "train_before_the_epochs",
    "squared_errors_by_hand",
    "require_grad_by_name",
}


class Promise(NamedTuple):
    """A script, the laws of its row, and whether it may have a note only."""

    file: Path
    laws: tuple[str, ...]
    is_note: bool
    arguments: tuple[str, ...]


def promise(file: Path) -> Promise:
    text = file.read_text()
    said = re.findall(r"(?m)^# promised: (.*)$", text)[0]
    laws, is_note = re.subn(" as a note$", "", said)
    arguments = re.findall(r"(?m)^# arguments: (.*)$", text)
    given = tuple(word for line in arguments for word in shlex.split(line))
    return Promise(file, tuple(laws.split(" or ")), bool(is_note), given)


PROMISES = [*map(promise, sorted(FOLDER.glob("*.py")))]
CAUGHT_BY = (  # the faults of the zoo
    *(fault.caught_by for fault in FAULTS),
    *(("loss/scaling",) for _ in NOTED),
    *map(laws_of, FAULTY),
    *(fault.caught_by for fault in IN_JAX.values()),
    *((name,) for name in ON_RANKS),
    *(("training/replicas",) for _ in DRIFTING),
    *((name,) for name, *_ in RESUMED.values()),
)
ROWS = {
    frozenset(re.findall(r"`(\w+/[\w-]+)`", row.split("|")[2])): row
    for row in section("What it finds").splitlines()
    if row.startswith("| ") and "`" in row.split("|")[2]
}


@pytest.mark.parametrize("laws", ROWS, ids=lambda laws: " ".join(sorted(laws)))
def test_each_row_has_three_idioms(laws):
    here = sum({*each.laws} == laws for each in PROMISES)
    of_the_zoo = sum(not laws.isdisjoint(caught_by) for caught_by in CAUGHT_BY)
    assert here + of_the_zoo >= IDIOMS, ROWS[laws]


def test_each_script_is_of_a_row():
    assert {frozenset(each.laws) for each in PROMISES} <= ROWS.keys()


def marked(each: Promise) -> object:
    marks = [] if each.file.stem in QUICK else [pytest.mark.slow]
    libraries = re.findall(r"(?m)^(?:import|from) (jax|flax|optax)\b", each.file.read_text())
    marks += [needs(name) for name in dict.fromkeys(libraries)]
    return pytest.param(each, id=each.file.stem, marks=marks)


@pytest.mark.parametrize("each", [marked(each) for each in PROMISES])
def test_the_bug_is_caught_as_its_row_says(each, tmp_path):
    shutil.copy(each.file, tmp_path)
    function = next((word for word in each.arguments if word.startswith(":")), "")
    options = [word for word in each.arguments if word != function]
    only = [word for law in each.laws for word in ("--only", law)]
    command = in_a_process if options else symmetry  # ranks and resumed runs are processes
    done = command(
        "check", f"{each.file.name}{function}", "--no-explain", *only, *options, cwd=tmp_path
    )
    caught = re.search(rf"found by +({'|'.join(each.laws)})", done.out)
    assert caught or (each.is_note and "note: " in done.out), done.out + done.err
