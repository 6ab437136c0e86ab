"""A whole check, as a line of ``--results`` has it: the shape is a promise."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.checker.verdict import Checked, Verdict
from symmetry.report.failures import command_for
from symmetry.report.units import layers_record
from symmetry.report.verdicts import conclusion, dead_layers, gist, idle_modules, unequal_layers

SCHEMA = 1  # the version of the shape of a line: it grows if a key changes or goes
_OUTCOMES = {OK: "sound", FOUND: "problems", FAILED: "not proved"}
# Facts of a failure in JSON.
_OF_FAILURES = "iteration", "matrix", "units", "entry", "relative", "groups", "growth", "rounding"


def record(checked: Checked) -> dict[str, Any]:
    """Return a whole check."""
    how = checked.facts.substitution
    return {
        "schema": SCHEMA,
        "version": version("unit-symmetry"),
        "target": checked.target,
        "verdict": _OUTCOMES[checked.status],
        "exit_status": checked.status,
        "conclusion": conclusion(checked),
        "trainer": checked.target,
        "seed": checked.seed,
        "examples": checked.examples,
        "results": [_result(checked.target, verdict) for verdict in checked.verdicts],
        "complete": checked.complete,
        "warnings": [*checked.facts.warnings],
        "notes": [vars(note) for note in checked.notes],
        "without_units": layers_record(unequal_layers(checked)),
        "without_gradient": [*idle_modules(checked)],
        "dead": layers_record(dead_layers(checked)),
        "drawn": None if checked.sizes is None else vars(checked.sizes),
        "substitution": None if how is None else how.record(),
    }


def _result(target: str, verdict: Verdict) -> dict[str, Any]:
    arguments = dict(verdict.smallest.values) if verdict.smallest is not None else None
    more = ("steps", "array", "group", "ratio", "threshold") if not verdict.about.two_layer else ()
    return {
        "name": verdict.invariant,
        "dtype": verdict.dtype,
        "verdict": verdict.kind,
        "cases": verdict.cases,
        "counted": verdict.counted,
        "max_ulps": verdict.max_ulps,
        "case": json.loads(verdict.case.to_json()) if verdict.case else None,
        **{name: getattr(verdict, name) for name in _OF_FAILURES},
        "message": gist(verdict),
        "found": verdict.found,
        "file": verdict.file,
        "line": verdict.line,
        "command": command_for(target, verdict),
        **{name: getattr(verdict, name) for name in more},
        **({} if verdict.about.two_layer else {"arguments": arguments}),
    }
