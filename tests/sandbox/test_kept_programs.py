"""A check leaves what it has compiled for the next one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from symmetry.sandbox.kept_programs import kept_programs
from tests.cli.process import symmetry
from tests.conftest import needs
from tests.jax.script.test_script import HEAD, LOOP

FOLDER = "JAX_COMPILATION_CACHE_DIR"


@pytest.fixture
def cache(tmp_path_factory, monkeypatch) -> Path:
    caches = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("XDG_CACHE_HOME", str(caches))
    return caches / "symmetry" / "programs"


def test_the_folder_is_made_for_its_user_alone(cache):
    assert kept_programs()[FOLDER] == str(cache)
    assert cache.stat().st_mode & 0o777 == 0o700


def test_nothing_is_kept_where_no_folder_can_be_made(cache):
    cache.parent.touch()
    assert not kept_programs()


def test_programs_of_last_month_are_removed(cache):
    old, new = cache / "below" / "old", cache / "new"
    old.parent.mkdir(parents=True)
    old.touch()
    new.touch()
    last_month = time.time() - 30 * 86400
    os.utime(old, (last_month, last_month))
    kept_programs()
    assert [file for file in cache.rglob("*") if file.is_file()] == [new]


@needs("jax")
def test_the_next_check_compiles_nothing_anew(cache, tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + LOOP)
    first = symmetry("check", "mine.py", cwd=tmp_path)
    programs = {file.name: file.stat().st_mtime_ns for file in cache.iterdir()}
    second = symmetry("check", "mine.py", cwd=tmp_path)
    assert (first.status, first.err) == (second.status, second.err) == (0, "")
    assert programs
    assert {file.name: file.stat().st_mtime_ns for file in cache.iterdir()} == programs


@needs("jax")
def test_a_folder_of_the_users_own_is_used_instead(cache, tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + LOOP)
    seconds = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with TemporaryDirectory() as theirs:  # in a folder of no mirror
        done = symmetry("check", "mine.py", cwd=tmp_path, **{FOLDER: theirs}, **seconds)
        assert (done.status, done.err) == (0, "")
        assert any(Path(theirs).iterdir())
    assert not any(cache.iterdir())


@needs("jax")
def test_a_user_may_switch_it_off(cache, tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + LOOP)
    done = symmetry("check", "mine.py", cwd=tmp_path, JAX_ENABLE_COMPILATION_CACHE="0")
    assert (done.status, done.err) == (0, "")
    assert not any(cache.iterdir())
