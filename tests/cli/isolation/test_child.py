"""What a process that runs code under test tells the one that has started it."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from typing import Any

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.checker.verdict import Verdict
from symmetry.cli.isolation import child
from symmetry.cli.isolation.account import unpacked
from symmetry.cli.isolation.child import Command, Remote
from symmetry.law.case import Case
from tests.catalogues import named

SMALL = Case(2, 2, 3, 2, 0.1, 1, "float32", "pixels", "scaled", 0)
HOLDS = Verdict(named("symmetry/clones"), "float32", "holds", 2, 2)
ENDED = Verdict(named("symmetry/pure"), "float32", "error")


def messages(pipe: io.BytesIO, token: str = "t") -> list[Any]:
    lines = pipe.getvalue().decode().splitlines()
    assert all(line.startswith(token) for line in lines)
    return [json.loads(line.removeprefix(token)) for line in lines]


def remote(order: Command | None = None, *, live: bool = True) -> tuple[Remote, io.BytesIO]:
    pipe = io.BytesIO()
    return Remote(order or Command("t", [], live), pipe), pipe


def test_each_message_is_a_line_that_begins_with_the_token() -> None:
    shown, pipe = remote()
    shown.text("two\nlines")
    shown.doing("symmetry/pure", 1, 4, "a note")
    assert messages(pipe) == [
        ["text", "two\nlines", False],
        ["doing", "symmetry/pure", 1, 4, "a note", ""],
    ]


def test_nobody_is_told_of_progress_that_nobody_looks_at() -> None:
    shown, pipe = remote(live=False)
    shown.doing("symmetry/pure", 1, 4)
    assert messages(pipe) == []


@pytest.mark.parametrize(("case", "cases"), [(SMALL, 3), (None, 1)])  # none of a training
def test_what_is_about_to_be_run_comes_with_the_verdict_if_it_ends_the_process(
    case: Case | None, cases: int
) -> None:
    shown, pipe = remote(live=False)
    shown.enter("mine")
    shown.case("symmetry/pure", "float32", 2, 100, case)
    shown.examined(HOLDS)
    target, attempt, examined = messages(pipe)
    assert target == ["target", "mine"]
    running = unpacked(attempt[1])
    expected = replace(ENDED, cases=cases, case=case)
    assert (attempt[0], replace(running, about=ENDED.about)) == ("attempt", expected)
    assert running.invariant == ENDED.invariant
    assert (examined[0], unpacked(examined[1])) == ("examined", HOLDS)


def test_a_target_that_has_ended_a_process_is_not_loaded_again() -> None:
    order = Command("t", [], live=False, broken={"mine": "it ended its process"})
    shown, _ = remote(order)
    with pytest.raises(SymmetryError, match="it ended its process"):
        shown.enter("mine")
    shown.enter("other")


def test_the_working_directory_is_that_of_the_command(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown, _ = remote(live=False)
    os.chdir("/")
    shown.examined(HOLDS)
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109


@pytest.mark.parametrize("trouble", ["a copy", "nobody reads"])
def test_a_process_that_cannot_be_heard_ends(trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(status: int) -> None:
        raise SystemExit(status)

    shown, pipe = remote()
    monkeypatch.setattr(child, "_exit", end)
    if trouble == "a copy":
        monkeypatch.setattr(child, "_process", lambda: -1)
    else:
        pipe.close()
    with pytest.raises(SystemExit, match="1"):
        shown.text("anything")
