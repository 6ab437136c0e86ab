"""Notes that prove themselves, each with a script like it whose note proves nothing.

A line of each script says which law it violates, or which note it has:

    # proved: training/moves
    # noted: loss/term
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checking import check_target
from tests.sound.trainings.scripts import script

FOLDER = Path(__file__).parent / "proofs"
LAWS = ["training/moves", "loop/copies", "loop/modes", "loss/weights"]
QUICK = {"term_as_a_number", "value_without_a_gradient"}


def marked(file: Path) -> object:
    marks = [] if file.stem in QUICK else [pytest.mark.slow]
    return pytest.param(file, id=file.stem, marks=marks)


@pytest.mark.parametrize("file", [marked(file) for file in sorted(FOLDER.glob("*.py"))])
def test_a_note_fails_the_check_where_it_proves_itself(file):
    kind, name = re.findall(r"(?m)^# (proved|noted): (.*)$", file.read_text())[0]
    checked = check_target(script(file), only=LAWS, dtype="float32")
    violated = [verdict for verdict in checked.verdicts if verdict.kind == "violated"]
    noted = [note.name for note in checked.notes]
    if kind == "noted":
        assert (violated, noted) == ([], [name])
    else:
        (verdict,) = violated
        assert verdict.invariant == name
        assert " Proved: " in verdict.message
        assert verdict.violation.kind not in noted
