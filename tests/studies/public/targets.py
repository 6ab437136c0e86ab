"""The targets of a study: scripts at pinned commits. Each study is a list in ``lists``.

A list has one line a target: where its script lies, how it is run, what was changed, and what a
person said of the answer. Its other lines are the same for all of its targets: ``check`` are
options of the check, ``own`` is the commit of this project at which the code of the targets stands,
``changes`` are made there, ``beside`` are the commits of repositories that they read, ``of`` names
the study whose scripts are changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

LISTS = Path(__file__).with_name("lists")
STUDIES = tuple(sorted(file.stem for file in LISTS.glob("*.json")))


class Change(NamedTuple):
    """A text of a file that is replaced, and why."""

    file: str
    old: str
    new: str
    why: str


@dataclass(frozen=True)
class Target:
    """How one script is brought and checked, and what is known of it."""

    name: str
    script: str  # as the check is given it, with the script's arguments behind
    commit: str
    repository: str = ""  # OWNER/NAME on GitHub; without one it is this project
    arguments: str = ""
    folder: str = ""  # where it is run
    path: bool = False  # whether its README installs the repository as a package
    data: tuple[Any, ...] = ()  # functions of made_up.py, with their arguments
    changes: tuple[Change, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)  # repositories and their commits
    facts: Mapping[str, Any] = field(default_factory=dict)  # all that its line says

    @property
    def typed(self) -> str:
        """Return the target as it is typed."""
        return f"{self.script} {self.arguments}".strip()


@dataclass(frozen=True)
class Study:
    """A list of targets, and what they have in common."""

    name: str
    targets: tuple[Target, ...]
    head: Mapping[str, Any]

    @property
    def command(self) -> str:
        """Return the command that repeats it."""
        return f"python -m tests.studies.public {self.name}"


@cache
def study(name: str) -> Study:
    """Read the list of a study."""
    head = json.loads((LISTS / f"{name}.json").read_text("utf-8"))
    listed = head.pop("targets")
    if "of" in head:
        scripts = {each.name: each for each in study(head["of"]).targets}
        targets = tuple(_broken(scripts[line["name"].partition("/")[0]], line) for line in listed)
    else:
        targets = tuple(_target(head, line) for line in listed)
    return Study(name, targets, head)


def _target(head: Mapping[str, Any], line: dict[str, Any]) -> Target:
    known = {key: line[key] for key in ("repository", "arguments", "folder", "path") if key in line}
    changes = (*head.get("changes", ()), *line.get("changes", ()))
    beside = [line["beside"]] if "beside" in line else []
    return Target(
        line["name"],
        line.get("script") or head["script"].format(line["name"]),
        line.get("commit") or head["own"],
        data=tuple(line.get("data", ())),
        changes=tuple(Change(*each) for each in changes),
        beside={name: head["beside"][name] for name in beside},
        facts=line,
        **known,
    )


def _broken(script: Target, line: dict[str, Any]) -> Target:
    """Return a script with a bug: one more change."""
    bug = Change(line["file"], line["old"], line["new"], line["wrong"])
    return replace(script, name=line["name"], changes=(*script.changes, bug), facts=line)
