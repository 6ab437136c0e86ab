"""Which call of the code under test is running, as another thread sees it."""

from __future__ import annotations

import os

import pytest

from symmetry.base import calls
from symmetry.base.calls import Running, calling


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Running:
    """Return what is running in a process in which nothing has run yet."""
    fresh = Running()
    monkeypatch.setattr(calls, "running", fresh)
    monkeypatch.setattr(calls, "_seen", set())
    return fresh


def test_a_call_is_inside_until_it_returns_and_then_counts(running: Running) -> None:
    with calling("step", (3, 2)):
        assert (running.inside, running.calls) == (True, 0)
    assert (running.inside, running.calls) == (False, 1)


def test_the_first_of_each_kind_may_take_longer(running: Running) -> None:
    seen = []
    for shape in ((3, 2), (3, 2), (4, 2)):
        with calling("step", shape):
            seen.append(running.first)
    assert seen == [True, False, True]


def test_loading_a_target_is_no_call_of_it(running: Running) -> None:
    with calling("load", counts=False):
        assert running.loading
    assert running.calls == 0
    with calling("step"):
        assert not running.loading


def test_a_call_that_raises_has_ended(running: Running) -> None:
    with pytest.raises(ValueError, match="no"), calling("step"):
        raise ValueError("no")
    assert (running.inside, running.calls) == (False, 1)


def test_a_copy_of_the_process_ends_where_the_call_returns(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, process = [], os.getpid()
    monkeypatch.setattr(calls.os, "_exit", ended.append)
    with calling("step"):
        monkeypatch.setattr(calls.os, "getpid", lambda: process + 1)
    assert ended == [1]
