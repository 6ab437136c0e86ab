"""The formats in which a check is printed for programs, by name; and several checks in one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symmetry.checker.verdict import Checked
from symmetry.explanation.explained import Explained
from symmetry.report.formats import github, junit, sarif
from symmetry.report.record import to_json

Failed = tuple[str, str]  # a target that could not be checked, and why


@dataclass(frozen=True)
class Format:
    """One format."""

    render: Callable[[Checked, Explained | None], str]  # returns the text of one check
    # Returns one text of several, and of targets that could not be checked.
    merge: Callable[[Sequence[str], Sequence[Failed]], str]


def render(name: str, checked: Checked, explained: Explained | None = None) -> str:
    """Return a check in the format of this name, without the end of its last line."""
    if name == "json":
        return to_json(checked).rstrip("\n")
    return FORMATS[name].render(checked, explained)


def merge(name: str, texts: Sequence[str], failed: Sequence[Failed]) -> str:
    """Return the checks of several targets in one text of this format."""
    return FORMATS[name].merge(texts, failed)


FORMATS: Mapping[str, Format] = {
    "github": Format(github.render, github.merge),
    "sarif": Format(sarif.render, sarif.merge),
    "junit": Format(junit.render, junit.merge),
}
