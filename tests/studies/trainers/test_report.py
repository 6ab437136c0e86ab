"""The trainings are found in their scripts, and their lines become rows of a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needs
from tests.studies.copies import Copies, forget
from tests.studies.lines import cost, laws, notes, suspicious, verdicts
from tests.studies.trainers.combinations import combinations
from tests.studies.trainers.reasons import REASONS

COMMITTED = Path("reports/trainers.jsonl")


def a_line(*results: tuple[str, str], noted: tuple[str, ...] = ()) -> dict[str, Any]:
    found = [{"name": name, "verdict": kind} for name, kind in results]
    return {"results": found, "notes": [{"name": name} for name in noted]}


def test_a_training_is_a_function_of_a_script_that_takes_nothing():
    found = {(each.library, each.name) for each in combinations()}
    assert ("TRL", "preferences_by_ipo") in found
    names = {name for _, name in found}
    assert names.isdisjoint({"main", "llama", "tokenizer", "train", "images", "_scheduled"})
    assert len({each.target for each in combinations()}) == len(found) >= 30


def test_a_row_counts_what_holds_and_names_what_does_not():
    sound = a_line(("a", "holds"), ("a", "holds"), ("c", "not applicable"))
    assert (verdicts(sound), suspicious(sound)) == ("1 hold", False)
    broken = a_line(("a", "holds"), ("a", "violated"), ("b", "holds"))
    assert (verdicts(broken), suspicious(broken)) == ("a violated, 1 hold", True)
    late = {"error": "it died", "results": []}
    assert (verdicts(late), suspicious(late)) == ("error: it died", True)


def test_a_row_says_what_is_by_rounding_and_what_could_not_be_judged():
    several = a_line(
        *(("a", "holds"), ("a", "rounding"), ("b", "holds"), ("b", "vacuous")),
        *(("c", "vacuous"), ("d", "vacuous"), ("d", "not applicable"), ("e", "holds")),
    )
    assert verdicts(several) == "2 hold, 1 by rounding, not judged: c, d"
    assert not suspicious(several)


def test_notes_are_counted_by_name():
    assert notes(a_line(noted=("one", "two", "one"))) == "2 one, two"


def test_the_cost_of_a_check_says_whether_it_imported_the_libraries():
    lines = {"cpu_seconds": 9.6}, {"cpu_seconds": 20.2, "seconds": 150.0}, {}
    assert [cost(line) for line in lines] == ["10", "20 with imports", "-"]


def test_a_check_is_counted_once_for_each_training():
    lines = [
        a_line(("a", "holds"), ("a", "violated"), ("b", "not applicable"), ("c", "vacuous")),
        a_line(("a", "holds"), ("a", "rounding"), ("b", "not applicable"), ("c", "holds")),
    ]
    assert laws(lines) == [
        ("a", {"violated": 1, "rounding": 1}),
        ("c", {"vacuous": 1, "holds": 1}),
    ]


def test_what_is_checked_anew_loses_its_line(tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(json.dumps({"target": name}) + "\n" for name in "abc"), "utf-8")
    forget(file, ["b"])
    assert [json.loads(text)["target"] for text in file.read_text().splitlines()] == ["a", "c"]


def test_what_is_not_sound_has_a_reason():
    lines = [json.loads(text) for text in COMMITTED.read_text("utf-8").splitlines()]
    accused = {line["target"].rpartition(" ")[2] for line in lines if suspicious(line)}
    assert accused == REASONS.keys()
    targets = {each.target for each in combinations()}
    assert {line["target"] for line in lines} <= targets


@needs("timm")  # torchvision comes with it
@pytest.mark.filterwarnings("ignore:os.fork", "ignore:This process")
def test_a_training_is_checked_by_its_name():
    target = next(each.target for each in combinations() if each.name == "focal")
    line, _ = Copies((), "", 300).check(target)
    assert line["table"]["exit_code"] == 0
    assert {"symmetry/permutation", "training/resume"} <= {
        each["name"] for each in line["results"] if each["verdict"] == "holds"
    }
