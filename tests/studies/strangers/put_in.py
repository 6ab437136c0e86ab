"""Bugs that could have been made in scripts of strangers, put into them one at a time.

They stand in ``bugs.toml``, all of a script's written down before any of them was run. A bug is one
more change of a recipe, and what a check says of it is held against its answer without the bug.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.studies.strangers.recipes import Change, Recipe, named

Outcome = Literal["caught", "told", "silent", "not checked"]
OUTCOMES: tuple[Outcome, ...] = ("caught", "told", "silent", "not checked")
FAMILIES = (
    *("data", "modes", "gradients", "loss", "shapes", "labels", "masks", "evaluation"),
    *("checkpoints", "schedule", "start", "optimiser", "model", "RL", "diffusion"),
)


@dataclass(frozen=True)
class Bug:
    """A text of a script that is replaced by a wrong one."""

    recipe: str
    name: str
    family: str
    wrong: str  # what is wrong, in a sentence
    file: str
    old: str
    new: str
    promised: str = ""  # the check by which README says that it finds such a bug
    again: str = ""  # why it was written anew, if its first form could not run

    @property
    def target(self) -> str:
        """Return the name of its line."""
        return f"{self.recipe}/{self.name}"

    def put_in(self) -> Recipe:
        """Return the recipe of the script with this bug."""
        return named(self.recipe).changed(Change(self.file, self.old, self.new, self.wrong))


@cache
def bugs() -> tuple[Bug, ...]:
    """Read the bugs, in the order in which they were written down."""
    text = Path(__file__).with_name("bugs.toml").read_text("utf-8")
    return tuple(Bug(**each) for each in tomllib.loads(text)["bug"])


def outcome(line: Mapping[str, Any], without: Mapping[str, Any]) -> Outcome:
    """Say whether a check saw a bug, by its line and by that of the script without the bug.

    *caught*: the check fails, and did not without the bug, or by another invariant. *told*: there
    is a note that was not there. *not checked*: there is no verdict. Otherwise it is silent.
    """
    if line.get("exit") not in (0, 1):
        return "not checked"
    new, fails = violations(line, without), without.get("exit") == 1
    if line["exit"] == 1 and (new or not fails):
        return "caught"
    return "told" if {*line["notes"]} - {*without.get("notes", ())} else "silent"


def violations(line: Mapping[str, Any], without: Mapping[str, Any]) -> list[str]:
    """Return the violations of a script, but those of invariants that it violates anyway."""
    known = " ".join(each for each in without.get("text", ()) if "found by" in each)
    return [each for each in line.get("violations", ()) if each.split()[0] not in known]
