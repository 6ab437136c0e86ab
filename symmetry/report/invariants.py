"""The report ``invariants.md``: what was checked, on what, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from symmetry.checker.verdict import Checked, Span, Verdict
from symmetry.invariants.catalogue import CATALOGUE
from symmetry.report.templates import render
from symmetry.report.verdicts import deviation, failures, last_line
from symmetry.units.words import in_ulps

MARKDOWN = "invariants.md"

_COMPARED = {
    "exact": "Compared bit by bit, without any tolerance.",
    "bound": "Compared with the same step in float64, within what rounding can add up to.",
    "response": "Compared in multiples of what a change of one ulp in the arguments does to the "
    "step.",
}


def render_invariants(checked: Checked, command: str) -> str:
    """Return the Markdown of a whole check.

    Parameters
    ----------
    checked
        What came of it.
    command
        The command line that writes the report.
    """
    names = {verdict.invariant for verdict in checked.verdicts}
    context = {
        "checked": checked,
        "command": command,
        "summary": last_line(checked.verdicts),
        "invariants": [invariant for invariant in CATALOGUE if invariant.name in names],
        "failures": failures(checked),
        "deviation": _largest_deviation,
        "compared": _COMPARED,
        "sizes": _sizes(checked.verdicts),
    }
    return render("invariants.md.jinja", context)


def _largest_deviation(verdict: Verdict) -> str:
    if verdict.kind == "holds":
        return deviation(verdict)
    if verdict.kind in ("vacuous", "not applicable"):
        return "-"
    return "-" if verdict.max_ulps is None else in_ulps(verdict.max_ulps)


def _sizes(verdicts: Iterable[Verdict]) -> dict[tuple[str, ...], dict[str, list[str]]]:
    """Return the dtypes by invariant, by the sizes of the cases that counted."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for verdict in verdicts:
        if verdict.spans:
            together = found.setdefault(tuple(map(_span, verdict.spans)), {})
            together.setdefault(verdict.invariant, []).append(verdict.dtype)
    return found


def _span(span: Span) -> str:
    if span.least == span.largest:
        return f"{span.least:g}"
    return f"{span.least:g} to {span.largest:g}"
