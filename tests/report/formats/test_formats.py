"""The formats of CI systems, read as these systems read them."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from symmetry.checker.verdict import Verdict
from symmetry.report.formats.formats import FORMATS, merge, render
from tests.conftest import needs
from tests.report.checks import (
    EXPLAINED,
    HOLDS,
    IDLE,
    LOGITS,
    NOTE,
    RAISED,
    UNITS,
    VACUOUS,
    checked,
)

CHECK = checked(HOLDS, LOGITS, *UNITS, IDLE, notes=(NOTE,))


def test_json_is_what_the_file_of_json_holds() -> None:
    assert json.loads(render("json", CHECK))["target"] == "train.py"


def test_github_shows_problems_and_notes_at_their_lines() -> None:
    lines = render("github", CHECK, EXPLAINED).splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        "::error file=train.py,line=9,title=train.py%3A loss/inputs::"
        "cross_entropy is given probabilities%0A"
        "repeat: symmetry check train.py --only loss/inputs --dtype float64"
    )
    assert lines[1].startswith(
        "::error file=train.py,line=17,title=train.py%3A symmetry/permutation%2C symmetry/clones::"
        "train.py:17 treats unit 7"
    )
    assert lines[2] == (
        "::warning file=train.py,line=12,title=train.py%3A loss/scaling::"
        "the loss is a sum, and a mean"
    )


def test_github_escapes_and_says_that_nothing_was_checked() -> None:
    (error,) = render("github", checked(RAISED)).splitlines()
    assert "100 %25 <no>%0Aat all" in error
    assert render("github", checked(VACUOUS)).startswith("::error title=train.py::nothing was")
    assert render("github", checked(HOLDS)) == "train.py: sound"


def test_a_check_that_was_cut_short_says_so_in_each_format() -> None:
    cut = checked(HOLDS, replace(VACUOUS, kind="not reached"), cut="within 60 s")
    told = "sound so far: 1 of 2 checks within 60 s"
    assert render("github", cut) == f"::notice title=train.py::{told}"
    (run,) = json.loads(render("sarif", cut))["runs"]
    (invocation,) = run["invocations"]
    note = {"level": "note", "message": {"text": told}}
    assert invocation == {"executionSuccessful": True, "toolExecutionNotifications": [note]}
    (suite,) = ElementTree.fromstring(render("junit", cut).encode())
    assert (suite.get("tests"), suite.get("skipped")) == ("2", "1")


def test_sarif_has_the_required_parts_of_a_log() -> None:
    log = json.loads(render("sarif", CHECK, EXPLAINED))
    assert (log["version"], set(log)) == ("2.1.0", {"$schema", "version", "runs"})
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "unit-symmetry"
    assert run["invocations"] == [{"executionSuccessful": True}]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["loss/inputs", "symmetry/permutation", "loss/scaling"]
    assert [result["ruleId"] for result in run["results"]] == rules
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [place["region"]["startLine"] for place in places] == [9, 17, 12]
    assert all(result["message"]["text"] for result in run["results"])


@needs("pydantic_sarif")
@pytest.mark.parametrize("verdicts", [(HOLDS, LOGITS, *UNITS), (RAISED,), (VACUOUS,), (HOLDS,)])
def test_sarif_obeys_its_schema(verdicts: tuple[Verdict, ...]) -> None:
    from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

    text = render("sarif", checked(*verdicts, notes=(NOTE,)), EXPLAINED)
    several = merge("sarif", [text, text], [("other.py", "no such file")])
    for each in (text, several):
        Schema.model_validate_json(each)  # it is made of the schema, and allows nothing else
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        Schema.model_validate({**json.loads(text), "run": []})


def test_sarif_gives_files_as_references() -> None:
    (result,) = json.loads(render("sarif", checked(RAISED)))["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (" " in uri, unquote(uri)) == (False, "my code/train.py")


def test_sarif_says_why_nothing_was_checked() -> None:
    (run,) = json.loads(render("sarif", checked(VACUOUS)))["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("nothing was checked: ")


def test_junit_has_a_test_for_each_verdict() -> None:
    (suite,) = ElementTree.fromstring(render("junit", CHECK, EXPLAINED).encode())
    counts = {name: int(suite.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 7, "failures": 5, "errors": 0, "skipped": 1}
    tests = {test.get("name"): test for test in suite}
    assert len(tests["symmetry/repeatable float32"]) == 0
    failure = tests["symmetry/clones float64"].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.startswith("train.py:17 treats unit 7")
    skipped = tests["training/scale float32"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "no scaler"


def test_junit_replaces_letters_that_xml_forbids() -> None:
    odd = replace(RAISED, message="raised \x1b[31m: <no>\nat all")
    (suite,) = ElementTree.fromstring(render("junit", checked(odd)))
    (error,) = suite[0]
    assert error.get("message", "").startswith("raised ?[31m: <no>")
    assert suite.get("errors") == "1"


def test_junit_fails_for_notes_that_gate() -> None:
    (suite,) = ElementTree.fromstring(
        render("junit", checked(HOLDS, notes=(NOTE,), gating=(NOTE,)))
    )
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_several_targets_are_one_text(name: str) -> None:
    texts = [render(name, CHECK, EXPLAINED), render(name, checked(HOLDS))]
    text = merge(name, texts, [("other.py", "no such file")])
    assert text.count("no such file") == 1
    if name == "sarif":
        runs = json.loads(text)["runs"]
        succeeded = [run["invocations"][0]["executionSuccessful"] for run in runs]
        assert succeeded == [True, True, False]
    elif name == "junit":
        suites = ElementTree.fromstring(text.encode())
        assert [suite.get("name") for suite in suites] == ["train.py", "train.py", "other.py"]
    else:
        last = {
            "github": "::error title=other.py::no such file",
            "line": "other.py:1: error: no such file",
        }
        assert text.splitlines()[-1] == last[name]
