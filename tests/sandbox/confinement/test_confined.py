"""The kernel keeps the user's files: no way to change them is left to a confined process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from symmetry.base.processes import FOLDER
from symmetry.sandbox.confinement import landlock, seccomp
from symmetry.sandbox.confinement.confined import WITHOUT
from symmetry.sandbox.confinement.supervisor import ADDRESS, Supervisor
from symmetry.sandbox.shared import WRITABLE
from tests.conftest import slow
from tests.sandbox.confinement.writers import WRITERS

pytestmark = [
    pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock"),
    pytest.mark.skipif(not seccomp.is_possible(), reason="this kernel has no seccomp"),
]


def contents(top: Path) -> dict[str, bytes]:
    """Return all that is in a folder."""
    return {
        str(path.relative_to(top)): path.read_bytes() if path.is_file() else b""
        for path in sorted(top.rglob("*"))
    }


HEAVY = {"torch", "safetensors", "hdf5", "tensorstore", "arrow"}  # to import
QUICK = sorted(WRITERS.keys() - HEAVY)


def tried(
    folder: Path, tmp_path: Path, names: Iterable[str] = QUICK, **variables: str
) -> tuple[set[str], str]:
    """Return which of these writers raise nothing in a confined process, and its refusal."""
    (own := tmp_path / "own").mkdir()
    supervisor = Supervisor()
    environment = {**os.environ, FOLDER: str(own), "TMPDIR": str(own), **variables}
    environment[ADDRESS] = supervisor.address
    command = [sys.executable, "-m", "tests.sandbox.confinement.writers", str(folder), *names]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    finally:
        supervisor.close()
    assert done.returncode == 0, done.stderr
    *names, refusal = done.stdout.splitlines()
    return {*names}, refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the user's."""
    (folder := tmp_path / "results").mkdir()
    (folder / "deep").mkdir()
    for name in ("old", "deep/old"):
        (folder / name).write_text("old")
    return folder


@pytest.mark.parametrize(
    ("without", "names"),
    [("", QUICK), slow("", WRITERS), slow("landlock", WRITERS), slow("seccomp", WRITERS)],
)
def test_no_writer_changes_a_file(folder, tmp_path, without, names):
    before = contents(folder)
    passed, refusal = tried(folder, tmp_path, names, **{WITHOUT: without})
    assert contents(folder) == before
    assert passed == set()
    named = f"it writes to {folder} by a C library" in refusal
    assert named == (without != "seccomp")


def test_a_folder_that_the_user_names_is_written(folder, tmp_path):
    names, refusal = tried(folder, tmp_path, **{WRITABLE: str(folder)})
    assert {"program", "in_c", "made"} <= names
    assert refusal == "None"
    assert len(WRITERS) >= 20
