"""Bugs of strangers' scripts that a check has found, and the changes that mend them.

They stand in ``fixes.toml``. A script is checked once more with its fix alone: what was found has
to be gone, and nothing else may come.
"""

from __future__ import annotations

import difflib
import tomllib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.studies.strangers.recipes import Change, Recipe, named


@dataclass(frozen=True)
class Fix:
    """A bug of a script, and its fix."""

    recipe: str
    check: str  # that found it, or the note
    title: str
    wrong: str  # what is wrong, in a paragraph
    upstream: str  # what others have reported
    changes: tuple[Change, ...]

    @property
    def address(self) -> str:
        """Where the first file that changes can be read."""
        file = urllib.parse.quote(self.changes[0].file, safe="/")
        return f"https://github.com/{self.script.repository}/blob/{self.script.commit}/{file}"

    @property
    def script(self) -> Recipe:
        """The recipe of the script, with its bug."""
        return named(self.recipe)

    def put_in(self) -> Recipe:
        """Return the recipe of the script with this fix."""
        return self.script.changed(*self.changes)

    def diff(self) -> str:
        """Return what changes in the texts that are replaced."""
        lines = [f"--- {self.changes[0].file}"]
        for change in self.changes:
            old, new = change.old.strip("\n").splitlines(), change.new.strip("\n").splitlines()
            compared = difflib.unified_diff(old, new, lineterm="")
            lines += [line for line in compared if not line.startswith(("---", "+++", "@@"))]
        return "\n".join(lines)


@cache
def fixes() -> tuple[Fix, ...]:
    """Read the fixes, in the order in which the page has them."""
    text = Path(__file__).with_name("fixes.toml").read_text("utf-8")
    return tuple(map(_fix, tomllib.loads(text)["fix"]))


def _fix(found: dict[str, Any]) -> Fix:
    changes = (Change(**each, why=found["title"]) for each in found.pop("change"))
    return Fix(**found, changes=tuple(changes))


def found(line: Mapping[str, Any]) -> list[str]:
    """Return the checks that a script violates, by the text of an answer, and its notes."""
    words = (text.split() for text in line["text"])
    violated = {by[2] for by in words if by[:2] == ["found", "by"]}
    return [*sorted(violated), *(f"note {each}" for each in sorted({*line["notes"]}))]


def is_found(fix: Fix, line: Mapping[str, Any]) -> bool:
    """Return whether an answer still has what was found."""
    return not {fix.check, f"note {fix.check}"}.isdisjoint(found(line))
