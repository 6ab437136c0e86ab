"""The study of strangers' scripts: its page, its recipes, and how a script is brought."""

from __future__ import annotations

from pathlib import Path

import pytest

import symmetry
from symmetry.cli.campaign.several import read_lines
from tests.studies.strangers import made_up
from tests.studies.strangers.judgements import FALSE_NOTES, JUDGEMENTS, NOISE
from tests.studies.strangers.recipes import RECIPES, Change, Recipe
from tests.studies.strangers.report import LINES, MARKDOWN, curve, first_line, render
from tests.studies.strangers.sources import CannotBringError, bring

REPORTS = Path(symmetry.__file__).parents[1] / "reports"
TOY = Recipe(
    "toy",
    "owner/toy",
    "0" * 40,
    "train.py",
    "tables",
    2026,
    data=made_up.table("data/rows.csv", rows=3),
    changes=(Change("train.py", "download()", "'data/rows.csv'", "a test"),),
)


def test_the_page_is_that_of_its_lines():
    page = render(read_lines(REPORTS / LINES)).texts[MARKDOWN]
    assert page == (REPORTS / MARKDOWN).read_text("utf-8")


def test_each_answer_that_came_counts_once_in_its_round():
    rounds = {each.round for each in RECIPES}
    assert sum(curve(number).total() for number in rounds) == len(JUDGEMENTS)
    assert {*JUDGEMENTS} <= {each.name for each in RECIPES}


def test_notes_that_mean_nothing_are_given_and_false_ones_are_gone():
    lines = read_lines(REPORTS / LINES)
    given = {(name, note) for name, line in lines.items() for note in line.get("notes", ())}
    assert {*NOISE} <= given
    assert given.isdisjoint(FALSE_NOTES)


def test_the_first_sentence_of_an_answer_is_whole_and_names_no_folder_of_a_machine():
    wrapped = [
        "train.py --size 4: sound so far: 3 of 31",
        "  checks within 120 s",
        "  mapped: .cuda",
    ]
    assert first_line({"text": wrapped}) == "sound so far: 3 of 31 checks within 120 s"
    refused = ["a line: of the script", "error: 'train.py': /tmp/tmpab/toy/train.py is not Python"]
    assert first_line({"text": refused}) == "'train.py': train.py is not Python"
    assert first_line({"text": []}) == ""


def test_each_recipe_has_a_name_and_a_whole_commit():
    names = [each.name for each in RECIPES]
    assert len({*names}) == len(names)
    assert all(len(each.commit) == 40 for each in RECIPES)


def test_a_script_is_brought_with_its_changes_and_data(tmp_path):
    checkout = tmp_path / "sources/owner+toy"
    checkout.mkdir(parents=True)
    (checkout / "train.py").write_text("rows = open(download())\n")
    place = bring(TOY, tmp_path / "sources", tmp_path / "brought")
    assert (place / "train.py").read_text() == "rows = open('data/rows.csv')\n"
    assert len((place / "data/rows.csv").read_text().splitlines()) == 4
    (checkout / "train.py").write_text("rows = open(fetch())\n")
    with pytest.raises(CannotBringError, match="has no"):
        bring(TOY, tmp_path / "sources", tmp_path / "again")


def test_made_up_data_are_the_same_each_time(tmp_path):
    for name in ("one", "other"):
        made_up.citations("cora", papers=20)(tmp_path / name)
    files = [
        [*map(Path.read_bytes, sorted((tmp_path / n).rglob("cora.*")))] for n in ("one", "other")
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 2
