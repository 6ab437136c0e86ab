"""Calls in a mirror: what they write stays there, and everything else is as before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from symmetry.base.calls import calling, surroundings
from symmetry.base.user_code import user_folder
from symmetry.sandbox.mirrored_calls import MirroredCalls


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    return tmp_path


def test_calls_write_into_the_mirror_and_find_it_again(folder):
    mirrored = MirroredCalls(folder)
    with mirrored():
        Path("mine.txt").write_text("its")
        (folder / "new.txt").write_text("its")
        assert user_folder() == folder
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert Path("mine.txt").read_text() == "mine"
    with mirrored():
        assert [Path(name).read_text() for name in ("mine.txt", "new.txt")] == ["its", "its"]


def test_a_mirror_is_removed_and_made_again(folder):
    mirrored = MirroredCalls(folder)
    with mirrored():
        first = Path.cwd()
    mirrored.remove()
    assert not first.exists()
    with mirrored():
        assert Path("mine.txt").read_text() == "mine"
        assert Path.cwd() != first
    mirrored.remove()
    mirrored.remove()


def goes_deeper(mirrored):
    with mirrored():
        Path("deeper").mkdir()
        os.chdir("deeper")
        with mirrored():  # it is in it already
            assert Path.cwd().name == "deeper"
        raise ValueError("no")


def test_everything_is_as_before_a_call(folder):
    """The functions themselves may be replaced for longer: a thread of another script goes on."""
    before = Path.cwd(), user_folder()
    mirrored = MirroredCalls(folder)
    with pytest.raises(ValueError, match="no"):
        goes_deeper(mirrored)
    assert (Path.cwd(), user_folder()) == before
    Path("outside.txt").write_text("mine")
    assert (folder / "outside.txt").read_text() == "mine"
    with mirrored():
        assert Path.cwd().name == "deeper"
        Path("inside.txt").write_text("its")
    assert sorted(path.name for path in folder.iterdir()) == ["mine.txt", "outside.txt"]


def test_calls_of_a_target_run_in_its_surroundings(folder, monkeypatch):
    monkeypatch.setitem(surroundings, "f.py:training", MirroredCalls(folder))
    for name in ("f.py:training", "f.py:training hidden=3"):
        with calling("step", name, "float32"):
            Path("its.txt").write_text("its")
        assert not Path("its.txt").exists()
    with calling("step", "g.py:training"):
        Path("its.txt").write_text("its")
    assert Path("its.txt").exists()
