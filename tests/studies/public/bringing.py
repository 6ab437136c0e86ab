"""Brings a target into a folder: its repository at the pinned commit, its changes and its data.

Files of other repositories are no part of this project. ``git`` brings them when a study runs, or
they lie in a folder of checkouts, each as ``OWNER+NAME``.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from tests.studies.public import made_up
from tests.studies.public.targets import Target

ROOT = Path(__file__).parents[3]
BESIDE = "sources"  # where targets find the repositories beside them
_HOST = "https://github.com"
_OWN = ("tests/__init__.py", "tests/studies")  # what is brought of this project


class CannotBringError(Exception):
    """A repository cannot be had, or a change does not fit its files."""


def bring(target: Target, sources: Path, place: Path) -> None:
    """Lay a target into an empty folder; checkouts that are missing come into ``sources``.

    Raises
    ------
    CannotBringError
        If a repository or a commit cannot be had, or a text that is to be changed is not there.
    """
    if target.repository:
        checkout = _checkout(target.repository, target.commit, sources)
        left_out = shutil.ignore_patterns(".git", ".done")
        shutil.copytree(checkout, place, ignore=left_out, dirs_exist_ok=True)
    else:
        packed = _git(ROOT, "archive", target.commit, *_OWN)
        with tarfile.open(fileobj=io.BytesIO(packed)) as file:
            file.extractall(place, filter="data")
    for repository, commit in target.beside.items():
        beside = place / BESIDE / repository.rpartition("/")[2]
        beside.parent.mkdir(exist_ok=True)
        beside.symlink_to(_checkout(repository, commit, sources))
    for change in target.changes:
        file = place / change.file
        text = file.read_text("utf-8")
        if change.old not in text:
            raise CannotBringError(f"{change.file} has no {change.old!r}")
        file.write_text(text.replace(change.old, change.new), "utf-8")
    for name, *given in target.data:
        named = given.pop() if given and isinstance(given[-1], dict) else {}
        arguments = {key: _drawn(value) for key, value in named.items()}
        getattr(made_up, name)(*given, **arguments)(place)


def _drawn(value: Any) -> Any:
    """Return an argument of data; a field of a line of JSON is drawn by a function."""
    if not isinstance(value, dict):
        return value
    name, *given = value["draw"]
    named = given.pop() if given else {}
    return getattr(made_up, name)(**named)


def _checkout(repository: str, commit: str, sources: Path) -> Path:
    """Return a checkout of a repository; one that has a history is turned to the commit."""
    checkout = sources.absolute() / repository.replace("/", "+")
    if not checkout.exists():
        words = ("clone", "--quiet", "--filter=tree:0", "--no-checkout", f"{_HOST}/{repository}")
        _git(sources, *words, str(checkout))
    if (checkout / ".git").exists():
        _git(checkout, "checkout", "--quiet", "--detach", commit)
    return checkout


def _git(folder: Path, *words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise CannotBringError(f"git {words[0]}: {done.stderr.decode().strip()}")
    return done.stdout
