"""Where a command shows what it finds: in a pipe, on a terminal, or nowhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from symmetry.checker.verdict import Verdict
from symmetry.cli import screen
from symmetry.cli.screen import Live, Screen, Silent, current, numbers, say, showing, terminal
from symmetry.experiment.run import Point
from tests.catalogues import named

HOLDS = Verdict(named("symmetry/clones"), "float32", "holds", 2, 2)
IDLE = Verdict(named("training/padding"), "float32", "not applicable", 0, 0)
VIOLATED = Verdict(named("symmetry/pure"), "float32", "violated", 2, 2, message="x changed")

Capture = pytest.CaptureFixture[str]


def test_a_pipe_gets_plain_lines_and_no_progress(capsys: Capture) -> None:
    plain = Screen()
    plain.listing = True
    plain.begin(("mine: 2 invariants",))
    for dtype in ("float32", "float64"):
        plain.case(HOLDS.invariant, dtype, 1, 2)  # shows nothing
        plain.verdict(HOLDS)
    plain.verdict(IDLE)
    plain.verdict(VIOLATED)
    out, err = capsys.readouterr()
    assert "\x1b" not in out
    assert out.splitlines()[:2] == ["mine: 2 invariants", ""]
    assert [line.split()[2] for line in out.splitlines()[2:]] == [
        "holds",
        "holds",
        "not",
        "violated",
    ]
    assert err == ""


def test_styles_are_taken_off_where_there_is_no_terminal(capsys: Capture) -> None:
    Screen().text("\x1b[31mred\x1b[0m", err=True)
    assert capsys.readouterr() == ("", "red\n")


def test_silence(capsys: Capture) -> None:
    silent = Silent()
    silent.listing = True
    silent.begin(("mine",))
    silent.verdict(HOLDS)
    assert capsys.readouterr().out == ""


def test_what_is_said_goes_to_the_screen_of_the_block(capsys: Capture) -> None:
    before = current()
    with showing(Silent()) as silent:
        assert current() is silent
        say("not shown")
    assert current() is before
    say("shown")
    assert capsys.readouterr().out == "shown\n"


def test_a_screen_is_left_when_the_block_raises() -> None:
    before = current()
    with pytest.raises(ValueError, match="no"), showing(Silent()):
        raise ValueError("no")
    assert current() is before


def test_a_terminal_gets_a_line_for_each_bar_and_lines_above_them(capsys: Capture) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=60)
    bars = Progress(
        TextColumn("{task.description}"), TextColumn("{task.fields[note]}"), console=console
    )
    live = Live(bars, on_stderr=False)
    with bars:
        live.doing("starting", 0, None, "a note")
        live.doing("symmetry/pure", 1200, 5000)
        live.doing("other", 1, 2, bar="b")
        assert [task.description for task in bars.tasks] == ["symmetry/pure", "other"]
        assert [task.fields["note"] for task in bars.tasks] == ["1,200 of 5,000  ", "1 of 2  "]
        live.done("b")
        live.done("never shown")
        assert len(bars.tasks) == 1
        live.text("a line")
        live.text("another stream", err=True)
    assert "a line" in drawn.getvalue()
    assert capsys.readouterr() == ("", "another stream\n")


def test_without_a_terminal_the_screen_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "on_terminal", lambda name="stdout": False)
    with terminal() as shown:
        assert shown is current()
        assert type(shown) is Screen
    with terminal(quiet=True) as shown:
        assert type(shown) is Silent


def test_whoever_has_chosen_a_screen_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "on_terminal", lambda name="stdout": True)
    with showing(Silent()) as chosen, terminal() as shown:
        assert shown is chosen
    with terminal() as shown:
        assert type(shown) is Live


def test_an_error_of_one_rank_of_several_ends_it_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(screen.os, "_exit", ended.append)
    Screen().failed("no room")
    assert ended == []
    monkeypatch.setattr(screen.ranks, "world", lambda: 2)
    monkeypatch.setattr(screen.ranks, "rank", lambda: 1)
    Screen().failed("no room")
    assert ended == [1]
    assert capsys.readouterr().err == "rank 1: no room\n"


def test_loss_and_accuracy_in_columns() -> None:
    assert numbers(Point(3, 2.5, 9.75)) == "loss 2.500000  accuracy  9.75 %"
