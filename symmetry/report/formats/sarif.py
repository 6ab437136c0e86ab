"""SARIF 2.1.0, the format of static analysers: a run for each target, a result for each problem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from symmetry.base.errors import FAILED
from symmetry.checker.verdict import Checked
from symmetry.explanation.explained import Explained
from symmetry.report.problems import message, problems
from symmetry.report.verdicts import conclusion, notes

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PACKAGE = "unit-symmetry"


def render(checked: Checked, explained: Explained | None = None) -> str:
    """Return a log of one run: problems are errors, notes are warnings."""
    results = [
        _result(problem.invariants[0], "error", message(problem), problem.file, problem.line)
        for problem in problems(checked, explained)
    ]
    results += [
        _result(note.name, "warning", note.text, note.file, note.line) for note in notes(checked)
    ]
    statements = {v.invariant: v.about.statement for v in checked.verdicts}
    rules = dict.fromkeys(result["ruleId"] for result in results)
    described = {rule: statements.get(rule) or rule for rule in rules}
    failed = checked.status == FAILED
    told = conclusion(checked) if failed or checked.cut else ""
    return _log([_run(results, described, told, failed=failed)])


def merge(texts: Sequence[str], failed: Sequence[tuple[str, str]]) -> str:
    """Return one log of several checks; a target that has none is a run that did not succeed."""
    runs = [run for text in texts for run in json.loads(text)["runs"]]
    return _log([*runs, *(_run([], {}, f"{target}: {why}", failed=True) for target, why in failed)])


def _log(runs: list[dict[str, Any]]) -> str:
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _run(
    results: list[dict[str, Any]], rules: dict[str, str], told: str, *, failed: bool
) -> dict[str, Any]:
    """Return a run; what is told says why it proved nothing, or how far it came."""
    driver = {
        "name": _PACKAGE,
        "version": version(_PACKAGE),
        "rules": [{"id": rule, "shortDescription": {"text": text}} for rule, text in rules.items()],
    }
    invocation: dict[str, Any] = {"executionSuccessful": not failed}
    if told:
        notification = {"level": "error" if failed else "note", "message": {"text": told}}
        invocation["toolExecutionNotifications"] = [notification]
    return {"tool": {"driver": driver}, "invocations": [invocation], "results": results}


def _result(rule: str, level: str, text: str, file: str | None, line: int | None) -> dict[str, Any]:
    result: dict[str, Any] = {"ruleId": rule, "level": level, "message": {"text": text}}
    if file is not None:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(file.replace("\\", "/"))}}
        if line is not None:
            place["region"] = {"startLine": line}
        result["locations"] = [{"physicalLocation": place}]
    return result
