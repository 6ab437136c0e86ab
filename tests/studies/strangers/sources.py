"""Brings a script of a public repository into a folder, at a pinned commit, with made-up data.

The files of these repositories are no part of this project: ``git`` brings them when the study
runs, or they are taken from ``--sources DIR``, where each lies in a folder ``OWNER+NAME``.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.studies.strangers.recipes import Recipe

_HOST = "https://github.com"


class CannotBringError(Exception):
    """A repository cannot be had, or a change does not fit its files."""


def bring(recipe: Recipe, sources: Path | None, into: Path) -> Path:
    """Lay the repository, the changes and the data of a recipe into a folder; return the folder.

    Raises
    ------
    CannotBringError
        If the repository cannot be had, or a line that is to be changed is not there.
    """
    place = into / recipe.name
    if sources is not None:
        checkout = sources / recipe.repository.replace("/", "+")
        if not checkout.is_dir():
            raise CannotBringError(f"{checkout} is not there")
        shutil.copytree(checkout, place, ignore=shutil.ignore_patterns(".git", ".done"))
    else:
        _clone(recipe, place)
    for change in recipe.changes:
        file = place / change.file
        text = file.read_text("utf-8")
        if change.old not in text:
            raise CannotBringError(f"{change.file} has no {change.old!r}")
        file.write_text(text.replace(change.old, change.new), "utf-8")
    if recipe.data is not None:
        recipe.data(place)
    return place


def _clone(recipe: Recipe, place: Path) -> None:
    place.mkdir(parents=True)
    for words in (
        ("init", "--quiet"),
        ("fetch", "--quiet", "--depth=1", f"{_HOST}/{recipe.repository}", recipe.commit),
        ("checkout", "--quiet", "FETCH_HEAD"),
    ):
        done = subprocess.run(["git", *words], cwd=place, capture_output=True, text=True)
        if done.returncode:
            raise CannotBringError(f"git {words[0]}: {done.stderr.strip()}")
