"""The report ``strangers.md``: each script, its answer today, and as it came."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.strangers.judgements import FALSE_NOTES, JUDGEMENTS, NOISE, NOT_RUN
from tests.studies.strangers.recipes import RECIPES

COMMAND = "python -m tests.studies.strangers"
MARKDOWN, LINES = "strangers.md", "strangers.jsonl"

Line = Mapping[str, Any]

_DETAIL = re.compile(r"  (mapped|not tested): ")  # a line of its own below the first sentence
_TEMPORARY = re.compile(r"/tmp/[^\s:]*/")  # where a script was brought to


def render(lines: Mapping[str, Line]) -> ReportFiles:
    """Return the report of the lines that are there."""
    judged = [each for each in RECIPES if each.name in lines and each.name in JUDGEMENTS]
    rows = [(each, lines[each.name], JUDGEMENTS[each.name]) for each in judged]
    checked = [line for _, line, _ in rows]
    seconds = sorted(line["cpu_seconds"] for line in checked if "cpu_seconds" in line)
    template = environment(Path(__file__).parent).get_template("strangers.md.jinja")
    text = template.render(
        command=COMMAND,
        rows=rows,
        rounds=[(number, curve(number)) for number in sorted({each.round for each in judged})],
        checked=checked,
        exits=Counter(line.get("exit", "no answer") for line in checked),
        partial=sum("sound so far" in first_line(line) for line in checked),
        fields=Counter(each.field for each in judged),
        recent=sum(each.year >= 2025 for each in judged),
        cuda=sum(each.cuda for each in judged),
        waiting=len(RECIPES) - len(judged),
        median=median(seconds) if seconds else None,
        worst=seconds[-1] if seconds else None,
        quick=sum(each <= 30 for each in seconds),
        changes=[(each, change) for each in judged for change in each.changes],
        changed=sum(bool(each.changes) for each in judged),
        violations=came("violation,"),
        failing=came("fails: "),
        not_run=NOT_RUN,
        notes=[(each, note) for each, line, _ in rows for note in line.get("notes", ())],
        noise=NOISE,
        false_notes=FALSE_NOTES,
        first_line=first_line,
    )
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), checked)})


def curve(number: int) -> Counter[str]:
    """Return how many answers of a round were of each kind as they came."""
    names = [each.name for each in RECIPES if each.round == number]
    return Counter(JUDGEMENTS[name].kind for name in names if name in JUDGEMENTS)


def came(words: str) -> Counter[str]:
    """Return how many answers with these words were of each kind as they came."""
    return Counter(each.kind for each in JUDGEMENTS.values() if words in each.came)


def first_line(line: Line) -> str:
    """Return the first sentence of an answer without the name of the script."""
    if "error" in line:
        return str(line["error"])
    errors = [text for text in line["text"] if text.startswith("error: ")]
    if errors:  # behind what the script itself has printed
        return _TEMPORARY.sub("", errors[-1].removeprefix("error: "))
    first, *others = line["text"] or [""]
    more = takewhile(lambda text: text.startswith("  ") and not _DETAIL.match(text), others)
    text = " ".join((first, *map(str.strip, more)))
    return text.partition(": ")[2] or text
