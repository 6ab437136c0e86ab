"""The formats in which a check is printed for programs, by name; and several checks in one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symmetry.checker.verdict import Checked
from symmetry.explanation.explained import Explained
from symmetry.report import brief
from symmetry.report.formats import github, junit, line, sarif

Failed = tuple[str, str]  # a target that could not be checked, and why


@dataclass(frozen=True)
class Format:
    """One format."""

    render: Callable[[Checked, Explained | None], str]  # returns the text of one check
    # Returns one text of several, and of targets that could not be checked.
    merge: Callable[[Sequence[str], Sequence[Failed]], str]


def render(
    name: str,
    checked: Checked,
    explained: Explained | None = None,
    *,
    status: int | None = None,
    whole: bool = False,
) -> str:
    """Return a check in the format of this name, without the end of its last line.

    JSON has the exit ``status`` of the command, if it is not the one that the check means, and the
    ``whole`` of the reasons why invariants are not judged.
    """
    if name == "json":
        return brief.to_json(checked, explained, status=status, whole=whole)
    return FORMATS[name].render(checked, explained)


def merge(name: str, texts: Sequence[str], failed: Sequence[Failed]) -> str:
    """Return the checks of several targets in one text of this format."""
    return brief.merged(texts, failed) if name == "json" else FORMATS[name].merge(texts, failed)


def render_failed(name: str, target: str, why: str, status: int) -> str:
    """Return in a format that a target could not be checked; empty in one that has no such."""
    if name == "json":
        return brief.failed_json(target, why, status)
    return merge(name, (), [(target, why)]) if name in FORMATS else ""


FORMATS: Mapping[str, Format] = {
    "github": Format(github.render, github.merge),
    "sarif": Format(sarif.render, sarif.merge),
    "junit": Format(junit.render, junit.merge),
    "line": Format(line.render, line.merge),
}
