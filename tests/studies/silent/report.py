"""The report ``silent.md``: each pair before each tool, from the rows that were measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from symmetry.report.files import Figure, ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.silent.operators import OPERATORS, Operator, mutated
from tests.studies.silent.pair import Pair
from tests.studies.silent.pairs import PAIRS
from tests.studies.silent.readings import ELSEWHERE, NO_ANALOGUE, SETS
from tests.studies.silent.tools import TOOLS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

COMMAND = "python -m tests.studies.silent"
MARKDOWN, LINES, FIGURE = "silent.md", "silent.jsonl", "silent.png"
Row = Mapping[str, Any]
CAUGHT, TOLD, SILENT, ELSE = "caught", "told", "silent", "another reason"
UNFIT, FAILED, NOT_RUN = "not applicable", "failed", "not run"
JUDGED = CAUGHT, TOLD, SILENT, ELSE
_CAUGHT, _TOLD = "#56b4e9", "#c6dbef"  # light enough for text
MARKS = {CAUGHT: "●", TOLD: "○", ELSE: "?", SILENT: "·", UNFIT: "n", FAILED: "✗", NOT_RUN: ""}


def read(file: Path) -> list[Row]:
    """Return the rows that are there."""
    text = file.read_text("utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def put(row: Row, file: Path) -> None:
    """Write a row into a file, in the place of the one that it replaces."""
    rows = {_key(each): each for each in [*read(file), row]}
    text = "".join(json.dumps(rows[key]) + "\n" for key in sorted(rows))
    file.write_text(text, "utf-8")


def _key(row: Row) -> tuple[str, str, str]:
    return row.get("set", ""), row["tool"], row["pair"]


def outcome(row: Row | None) -> str:
    """Return how a tool fared with a pair.

    Only a finding that the twin has not counts: the mend is all that differs.
    """
    if row is None:
        return NOT_RUN
    broken, twin = row["broken"], row["twin"]
    if "why" in broken:
        return UNFIT
    if "error" in broken or "error" in twin:
        return FAILED
    for kind, found in (("accused", CAUGHT), ("told", TOLD)):
        if {*broken[kind]} - {*twin[kind]}:
            return ELSE if (row["pair"], row["tool"]) in ELSEWHERE else found
    return SILENT


def accuses_twin(row: Row | None) -> bool:
    """Return whether a tool accuses the sound script."""
    return row is not None and bool(row["twin"].get("accused"))


def render(rows: Sequence[Row]) -> ReportFiles:
    """Return the report of some rows."""
    cells = {(row["pair"], row["tool"]): row for row in rows if "set" not in row}
    template = environment(Path(__file__).parent).get_template("silent.md.jinja")
    ours = {pair.name: outcome(cells.get((pair.name, TOOLS[0].name))) for pair in PAIRS}
    text = template.render(
        command=COMMAND,
        pairs=PAIRS,
        families=_families(),
        tools=TOOLS,
        published=sum(bool(pair.source) for pair in PAIRS),
        totals=[_total(tool.name, cells) for tool in TOOLS],
        sets=[*_sets(rows)],
        operators=_operators(rows),
        spared=_counts(row for row in rows if row.get("set") == "PYSIASSIST, no bug"),
        scripts={row["pair"]: outcome(row) for row in rows if row.get("set") == "TrainCheck"},
        apart=[_apart(tool.name, cells) for tool in TOOLS],
        likenesses=sum(ours[pair.name] == CAUGHT for pair in PAIRS if pair.traincheck),
        mark=lambda pair, tool: _mark(cells.get((pair.name, tool.name))),
        marks=MARKS,
        misses=[
            (pair, ours[pair.name]) for pair in PAIRS if ours[pair.name] not in (CAUGHT, NOT_RUN)
        ],
        elsewhere=sorted(ELSEWHERE.items()),
        failures=[(*key, row) for key, row in sorted(cells.items()) if outcome(row) == FAILED],
        reproduced=[pair for pair in PAIRS if pair.traincheck],
        no_analogue=NO_ANALOGUE,
        error=lambda row: row["broken"].get("error") or row["twin"].get("error"),
    )
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), rows)}, (_figure(cells),))


def _families() -> list[str]:
    return list(dict.fromkeys(pair.family for pair in PAIRS))


def _total(tool: str, cells: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    """Return the counts of a tool, over the pairs that it was run with."""
    rows = [cells.get((pair.name, tool)) for pair in PAIRS]
    run = [row for row in rows if row is not None]
    found = [outcome(row) for row in run]
    seconds = [row["broken"]["cpu_seconds"] for row in run if "accused" in row["broken"]]
    return {
        "run": len(run),
        "versions": sorted({row["version"] for row in run}),
        "seconds": median(seconds) if seconds else None,
        "accused": sum(map(accuses_twin, run)),
        **{kind: found.count(kind) for kind in MARKS},
    }


def _apart(tool: str, cells: Mapping[tuple[str, str], Row]) -> list[dict[str, int]]:
    """Return the counts over published pairs, then over our own: of those that a tool judged.

    Beside them stands how many of the same pairs symmetry catches.
    """
    counts = []
    for published in (True, False):
        found = {
            pair.name: outcome(cells.get((pair.name, tool)))
            for pair in PAIRS
            if bool(pair.source) == published
        }
        judged = [name for name, kind in found.items() if kind in JUDGED]
        kinds = [found[name] for name in judged]
        ours = [outcome(cells.get((name, TOOLS[0].name))) for name in judged]
        counts.append(
            {
                "judged": len(judged),
                "caught": kinds.count(CAUGHT),
                "told": kinds.count(TOLD),
                "ours": ours.count(CAUGHT),
            }
        )
    return counts


def _sets(rows: Sequence[Row]) -> Iterator[tuple[str, str, Counter[str]]]:
    """Yield each set, its own pairs among them: what it is, whether it was seen, and counts."""
    public = {pair.name: bool(pair.source) for pair in PAIRS}
    ours = [row for row in rows if row["tool"] == TOOLS[0].name]
    here = [row for row in ours if "set" not in row]
    yield (
        "published pairs, above",
        "yes, most of them",
        _counts(r for r in here if public[r["pair"]]),
    )
    yield (
        "own pairs, above",
        "yes: they are tests",
        _counts(r for r in here if not public[r["pair"]]),
    )
    for name, (what, seen) in SETS.items():
        yield f"{name}: {what}", seen, _counts(row for row in ours if row.get("set") == name)


def _counts(rows: Iterable[Row]) -> Counter[str]:
    rows = [*rows]
    accused = sum(map(accuses_twin, rows))
    return Counter([*map(outcome, rows)]) + Counter(bugs=len(rows), accused=accused)


def _operators(rows: Sequence[Row]) -> list[tuple[Operator, Counter[str]]]:
    """Return the counts of the mutants of each operator of DeepCrime."""
    mutants = [row for row in rows if row.get("set") == "DeepCrime"]
    made = {each.name: {name for name, _ in mutated(each)} for each in OPERATORS}
    return [(o, _counts(r for r in mutants if r["pair"] in made[o.name])) for o in OPERATORS]


def _shares(tool: str, cells: Mapping[tuple[str, str], Row]) -> list[Counter[str]]:
    """Return for each family how a tool fared with its pairs."""
    return [
        Counter(outcome(cells.get((p.name, tool))) for p in PAIRS if p.family == family)
        for family in _families()
    ]


def _mark(row: Row | None) -> str:
    return MARKS[outcome(row)] + ("!" if accuses_twin(row) else "")


def _figure(cells: Mapping[tuple[str, str], Row]) -> Figure:
    """Draw families across, tools down: dark for what is caught, light for what is told."""
    names, families = [tool.name for tool in TOOLS], _families()
    shares = [_shares(name, cells) for name in names]
    shows = (*names, *families, *(repr(sorted(each.items())) for mine in shares for each in mine))
    size = (1.9 + 1.05 * len(families), 0.9 + 0.5 * len(names))
    return Figure(FIGURE, size, shows, lambda canvas, *_: _draw(canvas, names, families, shares))


def _draw(
    canvas: Canvas,
    names: Sequence[str],
    families: Sequence[str],
    shares: Sequence[Sequence[Counter[str]]],
) -> None:
    axes = canvas.subplots()
    for row, mine in enumerate(shares):
        for column, found in enumerate(mine):
            caught, told = found[CAUGHT], found[TOLD]
            judged = sum(found[kind] for kind in JUDGED)
            axes.barh(row, 0.9, left=column, height=0.7, color="#f0f0f0" if judged else "white")
            if judged:
                axes.barh(row, 0.9 * caught / judged, left=column, height=0.7, color=_CAUGHT)
                left = column + 0.9 * caught / judged
                axes.barh(row, 0.9 * told / judged, left=left, height=0.7, color=_TOLD)
            unfit = UNFIT if found[UNFIT] else NOT_RUN
            text = f"{caught + told} of {judged}" if judged else unfit
            axes.text(column + 0.45, row, text, ha="center", va="center", size=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks([column + 0.45 for column in range(len(families))], families)
    axes.xaxis.tick_top()
    axes.set_xlim(-0.05, len(families))
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)


def misses(pairs: Sequence[Pair], rows: Sequence[Row]) -> list[str]:
    """Return the pairs that symmetry was run with, does not catch, and gives no reason for."""
    mine = TOOLS[0].name
    cells = {row["pair"]: row for row in rows if row["tool"] == mine and "set" not in row}
    return [
        pair.name
        for pair in pairs
        if outcome(cells.get(pair.name)) in (SILENT, FAILED, ELSE) and not pair.unseen
    ]
