"""The page of a study: the answer, what was wrong or false, and counts for the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.public import rows
from tests.studies.public.bugs import OUTCOMES, outcome
from tests.studies.public.rows import Row, names
from tests.studies.public.targets import Study, Target, study

KINDS = ("true", "false", "useless", "unfair")
_GROUPS, _SILENT = re.compile(r"(\d+) groups?"), re.compile(r"(\d+) no gradient")
_PARTS: Mapping[str, Any] = {"names": names, "laws": rows.laws, "kinds": KINDS}


def render(chosen: Study, reports: Path) -> ReportFiles:
    """Return the page of the rows that are there."""
    found = rows.read(rows.file_of(chosen.name, reports))
    pairs = [(each, found[each.name]) for each in chosen.targets if each.name in found]
    seconds = [row["seconds"] for _, row in pairs if "seconds" in row]
    parts = {
        **_PARTS,
        "study": chosen,
        "pairs": pairs,
        "codes": Counter(row["code"] for _, row in pairs),
        "exits": Counter(row["exit"] for _, row in pairs),
        "median": median(seconds) if seconds else 0,
        "worst": max(seconds, default=0),
    }
    if "of" in chosen.head:
        template, more = "bugs", _of_bugs(pairs, reports)
    elif "own" in chosen.head:
        template, more = "trainings", {"half": sum(map(half, (row for _, row in pairs)))}
    else:
        template, more = "scripts", _of_scripts(chosen, pairs)
    templates = environment(Path(__file__).parent)
    text = templates.get_template(f"{template}.md.jinja").render(**parts, **more)
    return ReportFiles({f"{chosen.name}.md": fill_paragraphs(text)})


def came(chosen: Study, words: str = "") -> Counter[str]:
    """Return how many first answers with these words a person judged to be of which kind."""
    facts = (each.facts for each in chosen.targets)
    return Counter(f["judged"] for f in facts if words in f.get("came", ""))


def rounds(chosen: Study) -> dict[int, Counter[str]]:
    """Return how many first answers were of which kind, by round."""
    found: dict[int, Counter[str]] = {}
    for each in chosen.targets:
        found.setdefault(each.facts["round"], Counter())[each.facts["judged"]] += 1
    return dict(sorted(found.items()))


@cache
def accused(name: str) -> tuple[str, ...]:
    """Return the kinds of what a study accused: bug, property or weakness."""
    facts = (each.facts for each in study(name).targets)
    return tuple(each["kind"].split()[0] for each in facts if "kind" in each)


def half(row: Row) -> bool:
    """Return whether more axes of parameters have no gradient than there are groups of units."""
    groups, silent = _GROUPS.search(row["units"]), _SILENT.search(row["units"])
    return silent is not None and (groups is None or int(silent[1]) > int(groups[1]))


def _of_scripts(chosen: Study, pairs: list[tuple[Target, Row]]) -> dict[str, Any]:
    facts = [each.facts for each, _ in pairs]
    return {
        "rounds": rounds(chosen),
        "violations": came(chosen, "violation,"),
        "failing": came(chosen, "fails: "),
        "fields": Counter(each["field"] for each in facts),
        "recent": sum(each["year"] >= 2025 for each in facts),
        "cuda": sum(each.get("cuda", False) for each in facts),
        "changes": [len(each.changes) for each, _ in pairs if each.changes],
        "partial": sum("sound so far" in row["said"] for _, row in pairs),
        "notes": sum(len(row["notes"]) for _, row in pairs),
    }


def _of_bugs(pairs: list[tuple[Target, Row]], reports: Path) -> dict[str, Any]:
    scripts = rows.read(rows.file_of("strangers", reports))
    counted = []
    for bug, row in pairs:
        script = bug.name.partition("/")[0]
        counted.append((bug, row["came"], outcome(row, scripts[script])))
    promised = [each for each in counted if "promised" in each[0].facts]
    rest = [each for each in counted if "promised" not in each[0].facts]
    tables = {"all": counted, "README promises it": promised, "README says nothing": rest}
    for name in dict.fromkeys(bug.facts["family"] for bug, _ in pairs):
        tables[name] = [each for each in counted if each[0].facts["family"] == name]
    return {
        "outcomes": OUTCOMES,
        "scripts": len({bug.name.partition("/")[0] for bug, _ in pairs}),
        "tables": {name: _counts(each) for name, each in tables.items()},
        "missed": [bug for bug, _, now in promised if now not in ("caught", "told")],
    }


def _counts(bugs: list[tuple[Target, str, str]]) -> tuple[Counter[str], Counter[str]]:
    """Return how many bugs had which outcome: as they came, and now."""
    return Counter(first for _, first, _ in bugs), Counter(now for *_, now in bugs)
