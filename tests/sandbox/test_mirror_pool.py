"""A mirror that is used again is what it was, whatever a run has done in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from symmetry.base.fork import POSSIBLE, Fork
from symmetry.sandbox.mirror_pool import MirrorPool


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "data" / "text.txt").write_text("old")
    (work / "part.py").write_text("x = 1")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "file.txt").write_text("beside")
    return work


def seen(folder):
    """Return all that is found in a folder, through links."""
    return {
        str(Path(top, name).relative_to(folder)): Path(top, name).read_text()
        for top, _, names in os.walk(folder, followlinks=True)
        for name in names
    }


def write_into_a_link(here):
    """Let a folder of links take the place of a linked one, as writing into it does."""
    beside = here.parent / "beside"
    users = beside.resolve()
    beside.unlink()
    beside.mkdir()
    (beside / "file.txt").symlink_to(users / "file.txt")
    (beside / "more.txt").write_text("more")


@pytest.mark.parametrize(
    "change",
    [
        lambda here: None,
        lambda here: (here / "data" / "text.txt").write_text("new"),
        lambda here: (here / "data" / "text.txt").unlink(),
        lambda here: (here / "data" / "new" / "inner").mkdir(parents=True),
        lambda here: shutil.rmtree(here / "data"),
        lambda here: (here / "part.py").unlink() or (here / "part.py").mkdir(),
        lambda here: shutil.rmtree(here / "data") or (here / "data").write_text("a file"),
        lambda here: (here.parent / "beside").unlink() or (here.parent / "beside").mkdir(),
        write_into_a_link,
    ],
)
def test_it_is_restored(work, change):
    mirrors = MirrorPool(work)
    mirror = mirrors.take()
    here = Path(mirror.of(work))
    before = seen(here.parent)
    change(here)
    mirrors.give(mirror)
    assert mirrors.take() is mirror
    assert seen(here.parent) == before
    assert seen(work) == {"data/text.txt": "old", "part.py": "x = 1"}
    mirrors.give(mirror)
    mirrors.remove()
    assert not Path(mirror.top).exists()


@pytest.mark.skipif(not POSSIBLE, reason="processes are forked on Linux alone")
def test_forks_say_once_which_file_is_written_elsewhere(work, capfd):
    pool = MirrorPool(work)

    def tell(*names):
        yield [pool._tell(name) for name in names]

    next(tell("a"))
    with Fork(lambda: tell("a", "b"), beside=True) as fork:
        fork.receive()
    next(tell("b", "c"))
    assert capfd.readouterr().err == "".join(f"the script writes {name}\n" for name in "abc")


def test_two_that_are_needed_are_two(work):
    mirrors = MirrorPool(work)
    one, other = mirrors.take(), mirrors.take()
    assert one.top != other.top
    for mirror in (one, other):
        mirrors.give(mirror)
    mirrors.remove()


def test_one_that_cannot_be_restored_is_removed(work):
    mirrors = MirrorPool(work)
    mirror = mirrors.take()
    for file in (work, Path(mirror.of(work))):
        (file / "data" / "text.txt").unlink()
    mirrors.give(mirror)
    assert not Path(mirror.top).exists()


def rewrite(here, temporary):
    """Write, remove and rename files, in a folder of the script's and in one elsewhere."""
    (here / "data" / "text.txt").write_text("new")
    (here / "out").mkdir()
    (here / "out" / "last.pt").write_text("saved")
    (here / "out" / "link").symlink_to("last.pt")
    (temporary / "part").write_text("scratch")


def test_a_run_finds_the_files_that_another_one_had_written(work, tmp_path):
    pool = MirrorPool(work)
    first = pool.take()
    rewrite(Path(first.of(work)), Path(first.temporary))
    (Path(first.of(work)) / "part.py").unlink()
    files = first.copy_written(tmp_path / "copies")
    (Path(first.of(work)) / "data" / "text.txt").write_text("later")
    pool.give(first)
    second = pool.filled(files).take()
    here = Path(second.of(work))
    assert second.top == first.top
    assert seen(here) == {"data/text.txt": "new", "out/last.pt": "saved", "out/link": "saved"}
    assert (here / "out" / "link").is_symlink()
    assert (Path(second.temporary) / "part").read_text() == "scratch"
    pool.give(second)
    third = pool.take()
    assert seen(third.of(work)) == {"data/text.txt": "old", "part.py": "x = 1"}
    third.remove()


def test_a_run_that_has_written_nothing_leaves_nothing(work, tmp_path):
    pool = MirrorPool(work)
    first = pool.take()
    files = first.copy_written(tmp_path / "copies" / "1")
    pool.give(first)
    second = pool.filled(files).take()
    assert seen(second.of(work)) == {"data/text.txt": "old", "part.py": "x = 1"}
    second.remove()


def test_a_copy_is_as_old_as_its_file(work, tmp_path):
    pool = MirrorPool(work)
    mirror = pool.take()
    file = Path(mirror.of(work)) / "last.pt"
    file.write_text("saved")
    os.utime(file, ns=(5, 7))
    files = mirror.copy_written(tmp_path / "copies")
    pool.give(mirror)
    again = pool.filled(files).take()
    assert (Path(again.of(work)) / "last.pt").stat().st_mtime_ns == 7
    again.remove()
