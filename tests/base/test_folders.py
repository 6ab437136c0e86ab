"""Temporary folders end with their owner, whatever ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from symmetry.base.folders import TemporaryFolder

OWNER = """
import time
from symmetry.base.folders import TemporaryFolder
folder = TemporaryFolder()
print(folder.path, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_removed_with_what_is_in_it(place):
    with TemporaryFolder() as path:
        (Path(path) / "inner").mkdir()
        (Path(path) / "inner" / "file").touch()
        assert Path(path).parents[1] == place
    assert not [*place.iterdir()]


def test_one_inside_of_another_is_made_there(place):
    with TemporaryFolder() as outer, TemporaryFolder(outer) as inner:
        assert Path(inner).parent == Path(outer)
    assert not [*place.iterdir()]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets have paths")
def test_paths_of_sockets_fit_below_a_long_folder(place, monkeypatch):
    long = place / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    outer = TemporaryFolder()
    inner = TemporaryFolder(outer.short)
    name = Path(".t", "pymp-abcdefgh", "listener-abcdefgh")  # as of a queue in a run of a script
    Path(inner.path, name).parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(Path(inner.short, name)))
    assert Path(inner.path, name).is_socket()
    assert Path(inner.path).is_relative_to(long)
    outer.remove()
    assert not [*long.iterdir()]
    assert not Path(outer.short).parent.exists()


def test_files_are_written_to_it_as_to_any_other(place):
    writing = "import sys; from pathlib import Path; from symmetry.base.files import write_all; "
    with TemporaryFolder() as path:
        code = writing + "write_all({Path(sys.argv[1]): 'text'})"
        file = Path(path) / "file"
        subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=60)
        assert file.read_text("utf-8") == "text"


@pytest.mark.skipif(os.name == "nt", reason="nothing is known of owners")
def test_what_a_killed_process_leaves_is_removed_by_the_next(place):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert owner.stdout is not None
    left = Path(owner.stdout.readline().strip()).parent
    os.utime(left, (0, 0))
    with TemporaryFolder():
        assert left.is_dir()  # its owner is alive
    owner.kill()
    owner.communicate()
    assert left.is_dir()
    with TemporaryFolder():
        assert not left.exists()


def test_a_young_folder_and_those_of_others_stay(place):
    names = ["other", "symmetry-0", "symmetry-run-mine", "symmetry-run-young"]
    for name in names:
        (place / name / "files").mkdir(parents=True)
    (place / "symmetry-run-mine" / "more").touch()
    for name in names[:-1]:
        os.utime(place / name, (0, 0))
    with TemporaryFolder():
        pass
    assert sorted(path.name for path in place.iterdir()) == names
