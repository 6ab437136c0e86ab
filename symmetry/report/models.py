"""Several targets in one table: on the terminal, in ``models.md`` and in JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from symmetry.checker.verdict import Checked, Verdict, exit_code
from symmetry.invariants.training import THRESHOLDS
from symmetry.records import dump
from symmetry.report.files import Report
from symmetry.report.templates import render
from symmetry.report.verdicts import conclusion, deviation, record, summary
from symmetry.units.words import count

MARKDOWN = "models.md"


@dataclass(frozen=True)
class Row:
    """What became of one target: its check, or why there is none."""

    name: str
    checked: Checked | None
    error: str = ""

    @property
    def exit_code(self) -> int:
        """What the command would exit with if this were its only target."""
        return 2 if self.checked is None else exit_code(self.checked.verdicts)

    @property
    def conclusion(self) -> str:
        """What it means, in a few words."""
        if self.checked is None:
            return f"error: {self.error}"
        return conclusion(self.checked.verdicts)

    def kinds(self, dtype: str) -> str:
        """Count the verdicts in one dtype."""
        found = [v for v in self.checked.verdicts if v.dtype == dtype] if self.checked else []
        return summary(found) or "-"

    @property
    def units(self) -> str:
        """How many groups of units a training has, and why how many parameter axes have none."""
        coverage = self.checked.coverage if self.checked else None
        if coverage is None:
            return "-"
        without = Counter(axis.why for axis in coverage.uncovered)
        rest = ", ".join(f"{number} {why}" for why, number in without.most_common())
        groups = count(len(coverage.groups), "group")
        return f"{groups}; axes without: {rest}" if rest else groups

    @property
    def largest(self) -> str:
        """The largest deviation of what holds up to rounding, by its limit."""
        verdicts = self.checked.verdicts if self.checked else ()
        ratios = [[v.ratio or 0.0 for v in verdicts if v.dtype == d] for d in THRESHOLDS]
        if any(v.ratio is not None for v in verdicts):
            largest = (f"{max(found, default=0):.2g}" for found in ratios)
            limits = (f"{limit:g}" for limit in THRESHOLDS.values())
            return f"{' and '.join(largest)} responses, limits {' and '.join(limits)}"
        judged = [v for v in verdicts if v.kind == "holds" and v.margin is not None]
        if not judged:
            return "-"
        worst: Verdict = max(judged, key=lambda v: v.margin or 0.0)
        return f"{deviation(worst)} ({worst.invariant})"


def lines(rows: Sequence[Row], left_out: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each target, and for each thing that is none."""
    width = max(len(row.name) for row in rows)
    table = (f"{row.name:{width}}  {row.conclusion}" for row in rows)
    return (*table, *(f"left out: {text}" for text in left_out))


def last_line(rows: Sequence[Row]) -> str:
    """Return how many targets there are, and how many of them are sound."""
    codes = Counter(row.exit_code for row in rows)
    texts = [f"{count(len(rows), 'target')}: {codes[0]} sound"]
    others = ((1, "not"), (2, "not checked"))
    texts += [f"{codes[code]} {word}" for code, word in others if codes[code]]
    return ", ".join(texts)


def render_models(rows: Sequence[Row], left_out: Sequence[str], command: str) -> Report:
    """Return the file of all targets, which ``command`` writes.

    Nothing in it changes from run to run. What fits a pattern and is no target is ``left_out``.
    """
    context = {"rows": rows, "left_out": left_out, "command": command, "last_line": last_line(rows)}
    return Report({MARKDOWN: render("models.md.jinja", context)})


def to_json(rows: Sequence[Row]) -> str:
    """Return an array with one object a target, each as ``check --json`` writes it alone.

    What could not be checked has no results, and says why under ``error``.
    """
    records = [
        {"trainer": row.name, "error": row.error, "results": []}
        if row.checked is None
        else record(row.checked)
        for row in rows
    ]
    return dump(records) + "\n"
