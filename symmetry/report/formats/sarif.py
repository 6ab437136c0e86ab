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
from symmetry.report.problems import Problem, all_problems, message
from symmetry.report.verdicts import conclusion

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PACKAGE = "unit-symmetry"


def render(checked: Checked, explained: Explained | None = None) -> str:
    """Return a log of one run: problems are errors, notes are warnings."""
    found = all_problems(checked, explained)
    rules = {problem.check: _rule(problem) for problem in reversed(found)}
    rules = {problem.check: rules[problem.check] for problem in found}
    failed = checked.status == FAILED
    told = conclusion(checked) if failed or checked.cut else ""
    return _log([_run([*map(_result, found)], [*rules.values()], told, failed=failed)])


def merge(texts: Sequence[str], failed: Sequence[tuple[str, str]]) -> str:
    """Return one log of several checks; a target that has none is a run that did not succeed."""
    runs = [run for text in texts for run in json.loads(text)["runs"]]
    return _log([*runs, *(_run([], [], f"{target}: {why}", failed=True) for target, why in failed)])


def _log(runs: list[dict[str, Any]]) -> str:
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _run(
    results: list[dict[str, Any]], rules: list[dict[str, Any]], told: str, *, failed: bool
) -> dict[str, Any]:
    """Return a run; what is told says why it proved nothing, or how far it came."""
    driver = {
        "name": _PACKAGE,
        "version": version(_PACKAGE),
        "rules": rules,
    }
    invocation: dict[str, Any] = {"executionSuccessful": not failed}
    if told:
        notification = {"level": "error" if failed else "note", "message": {"text": told}}
        invocation["toolExecutionNotifications"] = [notification]
    return {"tool": {"driver": driver}, "invocations": [invocation], "results": results}


def _rule(problem: Problem) -> dict[str, Any]:
    """Return a rule with its help: the usual cause, the cure, and the command that says more."""
    cause, cure = problem.usual_cause, problem.usual_cure
    usual = [("Usual cause", cause), ("Cure", cure), ("An example", problem.about)]
    parts = [(label, text) for label, text in usual if text]
    described = {
        "text": " ".join(f"{label}: {text.rstrip('.')}." for label, text in parts),
        "markdown": "\n\n".join(f"**{label}:** {text}" for label, text in parts),
    }
    statement = {"text": problem.statement or problem.check}
    return {"id": problem.check, "shortDescription": statement, "help": described}


def _result(problem: Problem) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": problem.check,
        "level": "error" if problem.level == "violation" else "warning",
        "message": {"text": _text(problem)},
        "partialFingerprints": {"symmetry/v1": problem.id},
    }
    if problem.file is not None:
        location: dict[str, Any] = {"artifactLocation": _artifact(problem.file)}
        if problem.line is not None:
            location["region"] = {"startLine": problem.line}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _text(problem: Problem) -> str:
    """Return the message of a problem, with its cure if the message has none."""
    text = message(problem)
    return f"{text}\ncure: {problem.further_cure}" if problem.further_cure else text


def _artifact(file: str) -> dict[str, str]:
    return {"uri": quote(file.replace("\\", "/"))}
