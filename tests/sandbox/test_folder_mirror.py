"""What a script writes goes into the mirror, and is found there again."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from contextlib import chdir, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.base import libraries
from symmetry.sandbox import folder_mirror
from symmetry.sandbox.folder_mirror import FolderMirror
from symmetry.sandbox.originals import Originals
from symmetry.sandbox.routes import Route

MANY = 30  # files of a folder, where more than `few` are one link


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "data" / "text.txt").write_text("old")
    (work / "part.py").write_text("HERE = __file__\n\n\ndef fail():\n    raise ValueError(1)\n")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "file.txt").write_text("beside")
    return work


@pytest.fixture
def told():
    return []


@contextmanager
def entered(mirror, folder=None):
    """Let paths lead into a mirror, with a working directory in it."""
    folder = folder or str(Path.cwd())
    route = Route(mirror, folder)
    with chdir(folder), route.taken():
        yield
    route.end()


@pytest.fixture
def inside(work, told):
    """Yield the mirror, with everything replaced that a script finds replaced."""
    mirror = FolderMirror(work, told=told.append)
    with entered(mirror, mirror.of(work)):
        yield mirror
    mirror.remove()
    assert not Path(mirror.top).exists()


def test_a_file_that_is_written_is_a_copy(inside, work):
    assert Path("data/text.txt").read_text() == "old"
    with Path("data/text.txt").open("a") as file:
        file.write(" and new")
    assert Path("data/text.txt").read_text() == "old and new"
    Path("data/more.txt").write_text("more")
    assert (work / "data" / "text.txt").read_text() == "old and new"  # by its real name, too
    with folder_mirror._scandir(work / "data") as entries:  # as it is outside of runs
        assert [(entry.name, entry.stat().st_size) for entry in entries] == [("text.txt", 3)]


def test_what_leads_outside_comes_back(inside, work):
    here = Path("part.py").resolve().parent
    assert str(here) == inside.of(work)
    (work / "out").mkdir()
    assert (here / "out").is_dir()
    assert not os.path.lexists(str(work / "out"))


def test_what_lies_beside_is_linked(inside):
    assert Path("../beside/file.txt").read_text() == "beside"


def test_what_lies_three_folders_above_is_linked(tmp_path, told):
    work = tmp_path / "examples" / "images" / "fabric"
    work.mkdir(parents=True)
    (tmp_path / "data.txt").write_text("above")
    mirror = FolderMirror(work, told=told.append)
    assert Path(mirror.of(work), "..", "..", "..", "data.txt").read_text() == "above"
    mirror.remove()


@pytest.mark.parametrize("apart", ["script", "a/b/c/script"])
def test_folders_beside_each_other_are_copied_and_stay_as_they_are(tmp_path, work, told, apart):
    script = tmp_path / apart
    script.mkdir(parents=True)
    (script / "train.txt").write_text("script")
    for folders in ((script, work), (work, script)):
        mirror = FolderMirror(*folders, told=told.append)
        for file, text in ((work / "data" / "text.txt", "old"), (script / "train.txt", "script")):
            assert file.read_text() == Path(mirror.of(file)).read_text() == text
            Path(mirror.of(file)).write_text("new")
            assert file.read_text() == text
        mirror.remove()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "best.txt").write_text("new"),
        lambda folder: shutil.rmtree(folder / "old"),
        lambda folder: (folder / "log.txt").unlink(),
        lambda folder: (folder / "log.txt").rename(folder / "other.txt"),
        lambda folder: (folder / "more" / "and more").mkdir(parents=True),
        lambda folder: os.close(os.open(folder / "log.txt", os.O_WRONLY | os.O_TRUNC)),
        lambda folder: shutil.copy2(folder / "log.txt", folder / "old" / "copy.txt"),
    ],
    ids=["new", "remove all", "remove", "rename", "folders", "by number", "copy"],
)
def test_folders_elsewhere_stay_as_they_are(work, told, tmp_path_factory, change):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "old").mkdir()
    (folder / "old" / "weights.txt").write_text("weights")
    (folder / "log.txt").write_text("log")

    def contents(top):
        names = (Path(path) / n for path, _, files in os.walk(top) for n in files)
        folders = sorted(str(Path(path).relative_to(top)) for path, _, _ in os.walk(top))
        return folders, {str(n.relative_to(top)): n.read_text() for n in names}

    before = contents(folder)
    mirror = FolderMirror(work, told=told.append)
    for _ in range(2):  # the second run finds all as the first one did
        with entered(mirror):
            assert contents(folder) == before
            change(folder)
            assert contents(folder) != before  # the script finds its own changes
        assert contents(folder) == before
        mirror.restore()
    mirror.remove()
    assert (contents(folder), told) == (before, [])


@pytest.fixture
def elsewhere(tmp_path_factory):
    """A folder of the user's with three files."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("one.txt", "two.txt", "deep/three.txt"):
        (elsewhere / name).parent.mkdir(exist_ok=True)
        (elsewhere / name).write_text("old")
    return elsewhere


def test_a_file_elsewhere_that_is_continued_is_a_copy(elsewhere, inside):
    for name in ("one.txt", "two.txt", "deep/three.txt"):
        with (elsewhere / name).open("a") as file:
            file.write(" and new")
        assert (elsewhere / name).read_text() == "old and new"
        with folder_mirror._open(elsewhere / name) as file:  # as it is outside of runs
            assert file.read() == "old"
    assert {path.name for path in elsewhere.iterdir()} == {"deep", "one.txt", "two.txt"}


def test_a_file_in_a_folder_with_very_many_is_mirrored_by_itself(elsewhere, inside, told, few):
    for number in range(MANY):
        with folder_mirror._open(elsewhere / f"{number}.txt", "w"):
            pass
    for name in ("one.txt", "new.txt", "made/new.txt"):
        (elsewhere / name).parent.mkdir(exist_ok=True)
        (elsewhere / name).write_text("x")
        assert (elsewhere / name).read_text() == "x"
    assert (elsewhere / "two.txt").read_text() == "old"
    with folder_mirror._open(elsewhere / "one.txt") as file:
        assert (file.read(), told) == ("old", [])
    with folder_mirror._scandir(elsewhere) as entries:
        assert {"made", "new.txt"}.isdisjoint(entry.name for entry in entries)


@pytest.mark.parametrize(("name", "shares"), [("hub/a.txt", True), (".ssh/a.txt", False)])
def test_only_caches_are_shared(elsewhere, inside, told, monkeypatch, name, shares):
    monkeypatch.setenv("HF_HOME", str(elsewhere / "hub"))
    file = elsewhere / name
    folder_mirror._make_folder(file.parent)
    file.parent.mkdir(exist_ok=True)  # as libraries do
    file.write_text("x")
    assert (file.read_text(), told) == ("x", [])
    with folder_mirror._scandir(file.parent) as entries:
        assert len([*entries]) == shares


def test_code_has_the_name_of_the_users_file(inside, work, monkeypatch):
    monkeypatch.setattr(sys, "path", [inside.of(work), *sys.path])
    part = importlib.import_module("part")
    try:
        assert inside.of(work / "part.py") == part.HERE
        with pytest.raises(ValueError, match="1") as raised:
            part.fail()
        assert raised.traceback[-1].path == work / "part.py"
    finally:
        del sys.modules["part"]
        inside.forget_imports()


@pytest.fixture
def few(monkeypatch):
    """Let folders be linked that have more than a few files: a thousand take their time."""
    assert folder_mirror._FILES > MANY
    monkeypatch.setattr(folder_mirror, "_FILES", MANY - 1)


def test_folders_with_many_files_are_one_link(work, told, few):
    many = many_files(work / "many")
    mirror = FolderMirror(work, told=told.append)
    assert Path(mirror.of(many)).is_symlink()
    assert not Path(mirror.of(work / "data")).is_symlink()
    mirror.remove()
    assert len([*many.iterdir()]) == MANY


def test_where_links_are_not_allowed_there_are_copies(work, told):
    with patch("symmetry.sandbox.folder_mirror._symlink", side_effect=OSError):
        mirror = FolderMirror(work, told=told.append)
    copy = Path(mirror.of(work / "data" / "text.txt"))
    assert not copy.is_symlink()
    assert copy.read_text() == "old"
    assert not Path(mirror.of(work.parent / "beside")).exists()
    mirror.remove()


def test_copies_of_code_have_the_names_of_the_users_files_too(work, told, monkeypatch):
    with patch("symmetry.sandbox.folder_mirror._symlink", side_effect=OSError):
        mirror = FolderMirror(work, told=told.append)
        code = Path(mirror.of(work / "part.py"))
        assert not code.is_symlink()
        assert mirror.original(str(code)) == str(work / "part.py")
        code.write_text("x = 1")
        assert mirror.original(str(code)) == str(code)
        mirror.restore()
        assert code.read_text() == (work / "part.py").read_text()
    with entered(mirror):
        Path(mirror.of(work / "data" / "text.txt")).write_text("new")
    assert (work / "data" / "text.txt").read_text() == "old"
    mirror.remove()


def test_an_environment_is_one_link_and_may_change(work, told):
    environment, originals = work / "env", Originals()
    (environment / "lib").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text("home = /usr/bin")
    library = environment / "lib" / "library.py"
    library.write_text("version = 1")
    mirror = FolderMirror(work, told=told.append, originals=originals)
    library.write_text("version = 1.1")  # another search installs there
    assert Path(mirror.of(environment)).is_symlink()
    assert originals.changed() == []
    mirror.remove()


def many_files(folder):
    folder.mkdir()
    for number in range(MANY):
        (folder / str(number)).write_text("theirs")
    return folder


def test_what_other_languages_write_leaves_the_users_file(work, told, monkeypatch):
    import torch
    from safetensors import torch as tensors

    for name in ("model.pt", "model.safetensors"):
        (work / name).write_text("theirs")
    mirror = FolderMirror(work, told=told.append)
    with entered(mirror, mirror.of(work)):
        torch.save({"a": torch.ones(2)}, "model.pt")
        tensors.save_file({"a": torch.ones(2)}, "model.safetensors")
        assert torch.load("model.pt")["a"].tolist() == [1, 1]
        assert tensors.load_file("model.safetensors")["a"].tolist() == [1, 1]
    for name in ("model.pt", "model.safetensors"):
        assert (work / name).read_text() == "theirs"
    mirror.remove()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "1").write_text("ours"),
        lambda folder: (folder / "new").write_text("ours"),
        lambda folder: (folder / "new").mkdir(),
        lambda folder: (folder / "1").unlink(),
        lambda folder: (folder / "1").rename(folder / "2"),
        lambda folder: os.truncate(folder / "1", 0),
        lambda folder: os.close(os.open(folder / "1", os.O_WRONLY | os.O_TRUNC)),
        lambda folder: shutil.rmtree(folder),
    ],
)
def test_a_linked_folder_is_never_changed(work, told, few, monkeypatch, change):
    theirs = many_files(work.parent / "many")
    mirror = FolderMirror(work, told=told.append)
    with entered(mirror, mirror.of(work)):
        change(Path("../many"))
    assert len([*theirs.iterdir()]) == MANY
    assert {file.read_text() for file in theirs.iterdir()} == {"theirs"}
    mirror.remove()


CHANGES = {
    "write": lambda one, _: one.is_dir() or one.write_text("new"),
    "append": lambda one, _: one.is_dir() or one.write_text(one.read_text() + "+"),
    "remove": lambda one, _: shutil.rmtree(one) if one.is_dir() else one.unlink(),
    "replace": lambda one, other: one.is_dir() or other.is_dir() or one.replace(other),
    "make": lambda one, _: one.exists() or one.mkdir(),
}
PLACES = st.sampled_from(["log.txt", "out/weights", "out/more/weights", "new", "out/new", "out"])


@given(changes=st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), PLACES, PLACES), max_size=6))
@settings(deadline=None, max_examples=25)
def test_what_has_been_written_can_be_put_back(changes):
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve() / "a" / "b" / "c" / "work"  # a mirror links what is beside
        work.mkdir(parents=True)
        (work / "log.txt").write_text("log")
        mirror = FolderMirror(work, told=[].append)
        here = Path(mirror.of(work))
        (here / "out" / "more").mkdir(parents=True)
        for path in ("log.txt", "out/weights", "out/more/weights"):
            (here / path).write_text(path)
        written, before = mirror.written(), _all_files(here)
        for change, one, other in changes:
            with suppress(FileNotFoundError, NotADirectoryError):
                CHANGES[change](here / one, here / other)
        if mirror.put_back(written):  # it may not, where a file has become a folder
            assert _all_files(here) == before
        assert mirror.put_back(mirror.written())
        mirror.remove()


def _all_files(top):
    return {path: path.is_file() and path.read_text() for path in sorted(top.rglob("*"))}


def test_a_large_file_that_has_changed_cannot_be_put_back(work, told):
    mirror = FolderMirror(work, told=told.append)
    made = Path(mirror.of(work), "made")
    made.write_bytes(bytes(1 << 21))
    written = mirror.written()
    made.write_text("other")
    assert not mirror.put_back(written)
    mirror.remove()


def test_a_folder_that_a_library_is_given_is_a_copy(elsewhere, work, told, monkeypatch):
    library = ModuleType("writes_in_c")
    library.save = lambda folder, name="": (folder, name)
    monkeypatch.setitem(sys.modules, "writes_in_c", library)
    kept = replace(libraries.registered()[0], writers=(), folders=(("writes_in_c", "save", 0),))
    monkeypatch.setattr(folder_mirror, "registered", lambda: (kept,))
    mirror = FolderMirror(work, told=told.append)
    with entered(mirror):
        folder, _ = library.save(str(elsewhere))
        again, name = library.save(name="x", folder=str(elsewhere))
    assert (folder, again, name) == (mirror.of(elsewhere), mirror.of(elsewhere), "x")
    copies = [Path(folder), Path(folder, "deep"), Path(folder, "deep", "three.txt")]
    assert not any(copy.is_symlink() for copy in copies)
    assert copies[-1].read_text() == "old"
    mirror.remove()
