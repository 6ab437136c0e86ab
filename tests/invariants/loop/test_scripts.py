"""The zoo of loops: broken ones are accused at the line that they mark, sound ones never."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.catalogues import TRAININGS
from tests.conftest import few
from tests.invariants.loop.helpers import judged

pytestmark = pytest.mark.usefixtures("forking")

_ZOO = Path(__file__).parents[2]
FAULTY = sorted((_ZOO / "faulty" / "scripts" / "loop").glob("*.py"))
SOUND = sorted((_ZOO / "sound" / "scripts" / "loop").glob("*.py"))


def marked(file):
    """Return the laws that a script breaks, each with its line."""
    return {
        (match[1], number)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (match := re.search(r"# (\w+/[\w-]+)$", line))
    }


def laws(file):
    return frozenset(law for law, _ in marked(file))


@pytest.mark.parametrize("file", few(FAULTY, lambda file: file.stem, laws))
def test_a_broken_loop_is_accused_at_the_line_that_it_marks(file):
    accused = {
        (name, each.at.line)
        for name, judgement in judged(file).items()
        for each in judgement.accusations
    }
    assert accused == marked(file)


@pytest.mark.parametrize("file", few(SOUND, lambda file: file.stem, number=2))
def test_a_sound_loop_is_not_accused_and_has_no_notes(file):
    for judgement in judged(file).values():
        assert judgement.accusations == []
        assert judgement.notes == []


EXCUSED = [law for law in TRAININGS if law.excuses]


@pytest.mark.slow  # of scripts that are judged above
@pytest.mark.parametrize("law", EXCUSED, ids=lambda law: law.name)
def test_a_sound_script_meets_each_excuse_of_a_law(law):
    files = (file for file in SOUND if f"# nearly {law.name}\n" in file.read_text())
    spared = [excuse for file in files for excuse, _ in judged(file)[law.name].spared]
    assert {*spared} == {*law.excuses}
