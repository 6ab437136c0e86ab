"""The harness for public code: its lists, how a target is brought and checked, and its pages."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.studies.public import __main__ as command
from tests.studies.public import made_up, rows
from tests.studies.public.bringing import ROOT, CannotBringError, bring
from tests.studies.public.bugs import OUTCOMES, outcome
from tests.studies.public.page import KINDS, accused, came, half, render
from tests.studies.public.targets import STUDIES, Change, Study, Target, study

REPORTS = ROOT / "reports"
LOOP = """
import torch
model = torch.nn.Linear(3, {outputs})
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for line in open("rows.csv"):
    optimizer.zero_grad()
    outputs = model(torch.randn(4, 3))
    torch.nn.functional.cross_entropy(outputs, torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
"""


def a_target(name: str = "toy", **more) -> Target:
    return Target(name, "train.py", "0" * 40, "owner/toy", folder="code", **more)


@pytest.fixture
def sources(tmp_path) -> Path:
    """Return a folder with the checkout of a repository."""
    folder = tmp_path / "sources/owner+toy/code"
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(LOOP.replace("open(", "download("))
    return tmp_path / "sources"


TOY = {
    "changes": (
        Change("code/train.py", "download(", "open(", "a test"),
        Change("code/train.py", "{outputs}", "2", "a test"),
    ),
    "data": (["lines", "code/rows.csv", *map(str, range(20))],),
}


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_made_of_the_rows(name):
    page = render(study(name), REPORTS).texts[f"{name}.md"]
    assert page == (REPORTS / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", STUDIES)
def test_each_target_has_a_name_and_a_row(name):
    names = [each.name for each in study(name).targets]
    assert len({*names}) == len(names)
    assert {*rows.read(rows.file_of(name, REPORTS))} == {*names}
    assert all(len(each.commit) == 40 for each in study(name).targets)


@pytest.mark.parametrize("name", ["survey", "trainers", "jax-examples"])
def test_what_is_accused_has_a_reason(name):
    found = {
        row["target"]
        for row in rows.read(rows.file_of(name, REPORTS)).values()
        if row["violations"]
    }
    assert found == {each.name for each in study(name).targets if "why" in each.facts}
    assert {*accused(name)} <= {"bug", "property", "weakness"}


def test_each_first_answer_is_of_one_kind():
    found = came(study("strangers"))
    assert {*found} == {*KINDS}
    assert found.total() == len(study("strangers").targets)


def test_four_bugs_are_put_into_each_script():
    bugs = study("strangers-bugs").targets
    scripts = {each.name: each for each in study("strangers").targets}
    assert {*Counter(bug.name.partition("/")[0] for bug in bugs).values()} == {4}
    for bug in bugs:
        script = scripts[bug.name.partition("/")[0]]
        assert bug.changes[:-1] == script.changes
        assert (bug.commit, bug.typed, bug.data) == (script.commit, script.typed, script.data)
    kept = rows.read(rows.file_of("strangers-bugs", REPORTS))
    assert {row["came"] for row in kept.values()} <= {*OUTCOMES}


def test_the_data_of_each_script_can_be_made_up():
    for each in study("strangers").targets:
        assert all(callable(getattr(made_up, name)) for name, *_ in each.data)


@pytest.mark.parametrize(
    ("exit_", "violations", "notes", "expected"),
    [
        (1, ["loop/modes a.py:3"], [], "caught"),
        (1, [], [], "caught"),  # it fails by itself
        (0, [], ["loop/order", "loss/scaling"], "told"),
        (0, [], ["loop/order"], "silent"),
        (2, [], ["loss/scaling"], "not checked"),
    ],
)
def test_an_answer_is_held_against_the_one_without_the_bug(exit_, violations, notes, expected):
    sound = {"exit": 0, "violations": [], "notes": ["loop/order"]}
    assert outcome({"exit": exit_, "violations": violations, "notes": notes}, sound) == expected


def test_what_is_wrong_without_the_bug_is_not_the_bug():
    without = {"exit": 1, "violations": ["loop/modes"], "notes": []}
    row = {"exit": 1, "violations": ["loop/modes a.py:3"], "notes": []}
    assert outcome(row, without) == "silent"
    assert outcome(row | {"violations": ["loop/modes", "loss/padding"]}, without) == "caught"


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("3 groups; axes without: 2 input", False),
        ("3 groups; axes without: 3 no gradient", False),
        ("3 groups; axes without: 2 input, 4 no gradient", True),
    ],
)
def test_a_target_is_half_tested_if_most_of_it_has_no_gradient(units, expected):
    assert half({"units": units}) is expected


def test_verdicts_count_once_for_each_target_by_the_one_that_says_more():
    results = [
        ["a", "float32", "holds", 0.5],
        ["a", "float64", "violated"],
        ["b", "float64", "vacuous"],
    ]
    assert rows.laws([{"results": results}]) == {"a": {"violated": 1}, "b": {"vacuous": 1}}


def test_a_target_is_brought_with_its_changes_and_data(tmp_path, sources):
    (tmp_path / "place").mkdir()
    bring(a_target(**TOY), sources, tmp_path / "place")
    assert "Linear(3, 2)" in (tmp_path / "place/code/train.py").read_text()
    assert len((tmp_path / "place/code/rows.csv").read_text().splitlines()) == 20
    (tmp_path / "again").mkdir()
    change = Change("code/train.py", "upload", "", "a test")
    with pytest.raises(CannotBringError, match="has no 'upload'"):
        bring(a_target(changes=(change,)), sources, tmp_path / "again")


def test_a_checkout_with_a_history_is_turned_to_the_commit(tmp_path, sources):
    checkout = sources / "owner+toy"

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *who, *words], cwd=checkout, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    first = git("rev-parse", "HEAD")
    (checkout / "code/train.py").write_text("")
    git("commit", "--quiet", "-am", "two")
    (tmp_path / "place").mkdir()
    target = Target("toy", "train.py", first, "owner/toy", beside={"owner/toy": first})
    bring(target, sources, tmp_path / "place")
    assert (tmp_path / "place/code/train.py").read_text() != ""
    assert (tmp_path / "place/sources/toy/code/train.py").exists()


def test_the_code_of_a_finished_study_comes_out_of_the_history(tmp_path):
    known = ["git", "cat-file", "-e", study("trainers").head["own"]]
    if subprocess.run(known, cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("a clone without this commit")
    bring(study("trainers").targets[0], tmp_path, tmp_path)
    for name in ("survey", "trainers", "jax-examples"):
        for target in study(name).targets:
            assert (tmp_path / target.script.split()[0].partition(":")[0]).exists()


def test_two_targets_are_checked_by_the_command(tmp_path, sources):
    broken = Change("code/train.py", "outputs, t", "outputs.softmax(-1), t", "a test")
    changed = {**TOY, "changes": (*TOY["changes"], broken)}
    targets = (a_target("right", **TOY), a_target("wrong", **changed))
    options = ["--budget", "60", "--only", "loss/inputs", "--only", "symmetry/repeatable"]
    toys = Study("toys", targets, {"check": options})
    command.check_all(toys, tmp_path, sources, jobs=2)
    right, wrong = rows.read(rows.file_of("toys", tmp_path)).values()
    assert (right["exit"], right["violations"], right["judged"]) == (0, [], 2)
    assert (wrong["exit"], rows.names(wrong)) == (1, ["loss/inputs"])
    assert wrong["violations"] == ["loss/inputs train.py:8"]
    before = rows.file_of("toys", tmp_path).read_bytes()
    command.check_all(toys, tmp_path, Path("nowhere"))  # all of them are there
    command.check_all(toys, tmp_path, Path("nowhere"), anew=True)  # and of this commit
    assert rows.file_of("toys", tmp_path).read_bytes() == before


def test_a_target_that_cannot_be_brought_has_a_row(tmp_path, sources):
    change = Change("code/train.py", "upload", "", "a test")
    toys = Study("toys", (a_target(changes=(change,)),), {"check": []})
    command.check_all(toys, tmp_path, sources)
    [row] = rows.read(rows.file_of("toys", tmp_path)).values()
    assert (row["exit"], row["said"]) == (2, "code/train.py has no 'upload'")
