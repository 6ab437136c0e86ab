"""The schema of the JSON of a check: results obey it, and it allows nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import symmetry
from symmetry.checker.verdict import Checked
from symmetry.report import brief
from symmetry.report.formats.formats import render, render_failed
from tests.report import checks
from tests.report.verdicts import ERROR, HOLDS, VACUOUS, VIOLATED

FOLDER = Path(symmetry.__file__).parent / "report"
BRIEF = json.loads((FOLDER / "check.schema.json").read_text())
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Return what disobeys the keywords that the schema uses."""
    unknown = {*schema} - {*TYPES, "$schema", "title", "description", "type", "enum", "const"}
    assert unknown <= {"required", "properties", "additionalProperties", "items"}
    named = schema.get("type", [])
    kinds = [named] if isinstance(named, str) else named
    allowed = [kind for each in kinds for kind in TYPES[each]]
    if kinds and not (isinstance(value, tuple(allowed)) and (bool in allowed or value is not True)):
        return [f"{where}: {value!r} is none of {kinds}"]
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return [f"{where}: {value!r}"]
    if isinstance(value, list):
        return [f for v in value for f in faults(v, schema.get("items", {}), f"{where}[]")]
    properties = schema.get("properties", {})
    if not isinstance(value, dict) or not properties:
        return []
    missing = [f"{where}: no {key}" for key in schema["required"] if key not in value]
    missing += [f"{where}: {key} is not known" for key in value if key not in properties]
    inner = (faults(v, properties.get(k, {}), f"{where}.{k}") for k, v in value.items())
    return [*missing, *(fault for each in inner for fault in each)]


def in_short(checked: Checked) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render("json", checked))
    return found


CHECKS = [
    Checked("numpy", 0, 100, (VIOLATED, HOLDS, ERROR, VACUOUS)),
    Checked("train.py", 0, None, (*checks.UNITS, checks.RAISED), notes=(checks.NOTE,)),
    Checked("train.py", None, None, (), complete=False),
]


@pytest.mark.parametrize("checked", CHECKS)
def test_results_obey_the_schema(checked):
    assert faults(in_short(checked), BRIEF) == []


def test_a_target_that_cannot_be_checked_obeys_the_schema():
    assert faults(json.loads(render_failed("json", "train.py", "no such file", 2)), BRIEF) == []


def test_the_schema_is_of_this_version():
    assert BRIEF["properties"]["schema"]["const"] == brief.SCHEMA


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schema": 2}, ".schema: 2"),
        ({"verdict": "good"}, ".verdict: 'good'"),
        ({"more": 1}, ": more is not known"),
        ({"seconds": None}, ".seconds: None is none of"),
        ({"judged": [3]}, ".judged[]: 3 is none of"),
    ],
)
def test_anything_else_is_not_allowed(change, fault):
    changed = copy.deepcopy(in_short(CHECKS[0])) | change
    (found,) = faults(changed, BRIEF)
    assert fault in found
    del changed["target"]
    assert ": no target" in faults(changed, BRIEF)
