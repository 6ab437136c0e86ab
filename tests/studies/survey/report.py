"""The report ``survey.md``: what was found, then every model, the most suspicious first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from symmetry.report.table import by_suspicion, in_short, render_models, suspicion
from tests.studies.ages import aged
from tests.studies.survey import kept
from tests.studies.survey.reasons import BUG, REASONS, SLOW, Reason

LIBRARIES = "transformers", "timm"
COMMAND = "python -m tests.studies.survey"
MARKDOWN, PAGE, LINES = "survey.md", "survey.html", "survey.jsonl"
TESTED, HALF, NOT = "tested", "half tested", "not tested"
_GROUPS, _SILENT = re.compile(r"(\d+) groups?"), re.compile(r"(\d+) no gradient")
_SOUND = ("layers without units", "modules without gradient", "only some units are equal", "sound")
Line = Mapping[str, Any]


def name_of(line: Line) -> str:
    """Return a model's name, without the file that yields it."""
    return str(line["trainer"]).rpartition(":")[2]


def largest_ratio(line: Line) -> float | None:
    """Return the largest deviation, in multiples of its limit, of what holds."""
    held = [
        result["ratio"] / result["threshold"]
        for result in line["results"]
        if result["verdict"] == "holds" and result.get("ratio") and result.get("threshold")
    ]
    return max(held, default=None)


def reason_of(line: Line) -> Reason | None:
    """Return why a model is not sound, as far as a person looked into it."""
    slow = SLOW if "did not end within" in line.get("error", "") else None
    return REASONS.get(name_of(line), slow)


def depth(line: Line) -> str:
    """Return whether a check reached most of a model.

    It is half tested if more axes of parameters have no gradient than there are groups of units.
    """
    if "error" in line or suspicion(line) in ("error", "not finished"):
        return NOT
    units = line["table"]["units"]
    groups, silent = _GROUPS.search(units), _SILENT.search(units)
    more = silent is not None and (groups is None or int(silent[1]) > int(groups[1]))
    return HALF if more else TESTED


def without_gradient(line: Line) -> str:
    """Return how many modules receive no gradient, by the cause."""
    causes = Counter(line.get("causes", {}).values())
    return ", ".join(f"{number} {cause}" for cause, number in sorted(causes.items()))


def not_built_by_error(reasons: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Return the kinds of errors with the models that have them, the most frequent first."""
    kinds: dict[str, list[str]] = {}
    for name, reason in sorted(reasons.items()):
        kinds.setdefault(reason.partition(":")[0], []).append(name)
    return sorted(kinds.items(), key=lambda each: -len(each[1]))


def said(line: Line) -> str:
    """Return what was violated or failed, in a few words."""
    violated = dict.fromkeys(r["name"] for r in line["results"] if r["verdict"] == "violated")
    return ", ".join(violated) or in_short(line)


def tried() -> tuple[list[str], dict[str, str]]:
    """Return the names of the models that a recipe makes, and why others have none."""
    built: list[str] = []
    reasons: dict[str, str] = {}
    for library in LIBRARIES:
        prefix = "timm." if library == "timm" else ""
        for name, recipe in kept.recipes(library).items():
            if isinstance(recipe, str):
                reasons[prefix + name] = recipe
            else:
                built.append(prefix + name)
    return built, reasons


def libraries() -> list[tuple[str, int, int, int]]:
    """Return for each library how many models it has, how many were tried, and how many built."""
    rows = []
    for library in LIBRARIES:
        recipes = kept.recipes(library)
        made = sum(not isinstance(recipe, str) for recipe in recipes.values())
        rows.append((library, kept.available(library), len(recipes), made))
    return rows


def applied(line: Line) -> int:
    """Return how many checks applied to a model, in any precision."""
    return len({r["name"] for r in line["results"] if r["verdict"] != "not applicable"})


def render(lines: Sequence[Line]) -> ReportFiles:
    """Return the report of all models, and the table that is sorted by a click."""
    lines = by_suspicion(lines)
    built, not_built = tried()
    doubtful = [line for line in lines if suspicion(line) not in _SOUND]
    templates = environment(Path(__file__).parent)
    words = (name_of, suspicion, in_short, said, largest_ratio, reason_of, depth, without_gradient)
    templates.globals |= {word.__name__: word for word in words}
    text = templates.get_template("survey.md.jinja").render(
        command=COMMAND,
        versions=[f"{name} {version(name)}" for name in (*LIBRARIES, "torch")],
        lines=lines,
        built=built,
        tried_not=len(not_built),
        libraries=libraries(),
        fewest=min(map(applied, lines)),
        most=max(map(applied, lines)),
        in_table=sum(reason.kind == BUG for reason in map(reason_of, doubtful) if reason),
        not_built=not_built_by_error(not_built),
        counts=Counter(map(suspicion, lines)),
        depths=Counter(map(depth, lines)),
        causes=Counter(c for line in lines for c in line.get("causes", {}).values()),
        doubtful=doubtful,
    )
    page = render_models(lines, (), COMMAND).texts["models.html"]
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), lines), PAGE: page})
