"""``symmetry bisect``: what is printed and written, and wrong arguments."""

from __future__ import annotations

import json

import pytest

from symmetry.bisection import bisection, releases
from symmetry.bisection.trial import Trial
from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line

CHECK = ("--", "check", "train.py", "--only", "loss/pairs")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let releases from 1.2 on break an invariant, and 1.3 raise an error."""
    verdicts = {
        "1.0": Trial("1.0", 0, (), "train.py: sound (1 check)", 1.0),
        "1.1": Trial("1.1", 0, (), "train.py: sound (1 check)", 1.0),
        "1.2": Trial("1.2", 1, ("loss/pairs",), "train.py: 1 problem (1 check)", 1.0),
        "1.3": Trial("1.3", 2, (), "train.py: no training", 1.0),
        "1.4": Trial("1.4", 1, ("loss/pairs",), "train.py: 1 problem (1 check)", 1.0),
    }
    monkeypatch.setattr(releases, "releases_of", lambda package: [*verdicts])
    monkeypatch.setattr(bisection, "environment", lambda *_: tmp_path)
    monkeypatch.setattr(bisection, "tried", lambda _, release, words: verdicts[release])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_release_is_named(folder):
    done = symmetry("bisect", "lib", "1.0..1.4", *CHECK, cwd=folder)
    assert done.status == 0
    assert done.out.splitlines() == [
        "lib 1.0  train.py: sound (1 check)",
        "lib 1.4  train.py: 1 problem (1 check)  loss/pairs",
        "lib 1.2  train.py: 1 problem (1 check)  loss/pairs",
        "lib 1.1  train.py: sound (1 check)",
        "",
        "lib 1.2 changes the verdict: 1.1 is the last one before it",
    ]


def test_releases_that_cannot_be_judged_are_named(folder):
    done = symmetry("bisect", "lib", "1.3..1.4", *CHECK, cwd=folder)
    assert_one_line(done, "lib 1.3 cannot be judged: train.py: no training")


def test_the_same_verdict_is_another_status(folder):
    done = symmetry("bisect", "lib", "1.2..1.4", *CHECK, cwd=folder)
    assert done.status == 1
    assert done.out.splitlines()[-1] == "lib 1.2 and 1.4 have the same verdict"


def test_the_result_can_be_read_as_json(folder):
    done = symmetry("bisect", "lib", "1.0..1.4", "--json", "-", *CHECK, cwd=folder)
    found = json.loads(done.out)
    assert (found["last_before"], found["first_after"]) == ("1.1", "1.2")
    assert [trial["release"] for trial in found["trials"]] == ["1.0", "1.4", "1.2", "1.1"]
    assert "lib 1.2 changes the verdict" in done.err


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (("lib", "1.0..1.4"), "behind -- there must be a command: check or compare"),
        (("lib", "1.0..1.4", "--", "run"), "behind -- there must be a command"),
        (("lib", "1.0..1.4", "--", "check", "--fst"), "No such option '--fst'"),
        (("lib", "1.0..1.4", "--", "compare", "--steps", "3"), "Missing argument 'FIRST"),
        (("lib", *CHECK), "Missing argument 'OLD..NEW'"),
        (("lib", "1.0", *CHECK), "the releases are OLD..NEW"),
        (("lib", "1.0..7", *CHECK), "there is no release 7; next to it: 1.4"),
    ],
)
def test_wrong_arguments_are_one_line(folder, words, phrase):
    assert_one_line(symmetry("bisect", *words, cwd=folder), phrase)
