"""Threads of a script have its folder, also while it is suspended; none touches the user's."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from pathlib import Path
from types import BuiltinFunctionType

import pytest

from symmetry.sandbox.folder_mirror import FolderMirror
from symmetry.sandbox.routes import Route


@pytest.fixture
def work(tmp_path, monkeypatch):
    (work := tmp_path / "work").mkdir()
    (work / "data.txt").write_text("theirs")
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def mirror(work):
    mirror = FolderMirror(work, told=lambda _: None)
    yield mirror
    mirror.remove()
    assert {path.name: path.read_text() for path in work.iterdir()} == {"data.txt": "theirs"}


@pytest.fixture
def route(mirror, work):
    route = Route(mirror, mirror.of(work))
    yield route
    route.end()


@contextmanager
def resumed(route, mirror, work):
    """Let a script run in its folder."""
    with chdir(mirror.of(work)), route.taken():
        yield


class Waiting(threading.Thread):
    """Does something as soon as it may."""

    def __init__(self, do):
        super().__init__(daemon=True)
        self.do, self.may, self.found = do, threading.Event(), []

    def run(self):
        assert self.may.wait(10)
        self.found.append(self.do())

    def go(self):
        self.may.set()
        self.join(10)
        assert not self.is_alive()
        return self.found


def appended(path):
    with open(path, "ab" if isinstance(path, bytes) else "a") as file:
        file.write(b" and" if isinstance(path, bytes) else " new")


@pytest.mark.parametrize("kind", [str, os.fsencode, Path, "whole"])
def test_a_thread_of_a_suspended_script_writes_into_its_mirror(work, mirror, route, kind):
    def write():
        path = work / "data.txt" if kind == "whole" else kind("data.txt")
        appended(path)
        Path("made").mkdir()
        os.replace("data.txt", "made/data.txt")
        return os.getcwd(), os.getcwdb(), os.listdir(b"made"), os.path.exists("data.txt")

    with resumed(route, mirror, work):
        (thread := Waiting(write)).start()
    here = mirror.of(work)
    assert thread.go() == [(here, os.fsencode(here), [b"data.txt"], False)]
    assert (Path(here) / "made" / "data.txt").read_text().startswith("theirs ")
    assert os.getcwd() == str(work)


def test_a_thread_has_the_folder_that_its_script_has_gone_to(work, mirror, route):
    with resumed(route, mirror, work):
        os.mkdir("deeper")
        os.chdir("deeper")
        (thread := Waiting(os.getcwd)).start()
        (other := Waiting(lambda: (os.chdir(".."), os.getcwd()))).start()
    assert thread.go() == [os.path.join(mirror.of(work), "deeper")]
    assert other.go()[0][1] == os.path.join(mirror.of(work), "deeper", "..")
    assert os.getcwd() == str(work)


def test_a_thread_of_a_thread_and_a_task_of_a_pool_belong_to_the_script(work, mirror, route):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result(10)  # the worker is not the script's
        with resumed(route, mirror, work):
            outer = Waiting(lambda: (inner := Waiting(os.getcwd)).start() or inner.go())
            outer.start()
            submit = Waiting(lambda: pool.submit(os.getcwd).result(10))
            submit.start()
        assert outer.go() == [[mirror.of(work)]]
        assert submit.go() == [mirror.of(work)]
        assert pool.submit(os.getcwd).result(10) == str(work)


def test_scripts_that_take_turns_keep_their_threads_apart(work, mirror, route):
    other = FolderMirror(work, told=lambda _: None)
    with resumed(route, mirror, work):
        (thread := Waiting(lambda: appended("data.txt"))).start()
    second = Route(other, other.of(work))
    with resumed(second, other, work):
        thread.go()
        assert Path("data.txt").read_text() == "theirs"
    assert (Path(mirror.of(work)) / "data.txt").read_text() == "theirs new"
    second.end()
    other.remove()


def test_a_thread_ends_with_its_script_and_says_nothing(work, mirror, route, capfd):
    def fail():
        os.stat("data.txt")  # it may still look
        raise ValueError

    with resumed(route, mirror, work):
        threads = [Waiting(lambda: appended("data.txt")), Waiting(fail)]
        for thread in threads:
            thread.start()
    route.end()
    assert [thread.go() for thread in threads] == [[], []]
    assert capfd.readouterr() == ("", "")


def test_all_is_put_back_as_soon_as_no_script_needs_it(work, mirror, route):
    before = open, os.stat, threading.Thread.start, ThreadPoolExecutor.submit
    fresh = isinstance(os.stat, BuiltinFunctionType)  # else a thread of another script goes on
    with resumed(route, mirror, work):
        (thread := Waiting(int)).start()
        assert (open is not before[0]) is fresh
    assert (threading.Thread.start is not before[2]) is fresh
    assert (open is not before[0]) is fresh  # its thread is alive
    thread.go()
    route.end()
    assert (open, os.stat, threading.Thread.start, ThreadPoolExecutor.submit) == before


def test_a_function_of_an_earlier_script_does_not_call_itself(work, mirror, route, monkeypatch):
    """The kept state of a script has functions that stood for others, and may put them back."""
    plain = os.mkdir
    with resumed(route, mirror, work):
        kept = os.mkdir
    assert os.mkdir is plain
    monkeypatch.setattr(os, "mkdir", kept)
    with resumed(route, mirror, work):
        os.mkdir("made")
    assert os.mkdir is plain
    assert not (work / "made").exists()
