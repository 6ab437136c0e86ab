"""JUnit's XML: a test suite for each target, a test for each invariant and dtype."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from symmetry.checker.verdict import Checked, Verdict
from symmetry.explanation.explained import Explained
from symmetry.report.problems import message, problems  # notes that do not gate are no tests
from symmetry.report.verdicts import gist

Element = ElementTree.Element
_IDLE = ("vacuous", "not applicable", "expected failure", "not finished", "not reached")


def render(checked: Checked, explained: Explained | None = None) -> str:
    """Return a document with the suite of one target; notes that gate are tests that fail."""
    found = problems(checked, explained)
    texts = {name: message(problem) for problem in found for name in problem.invariants}
    tests = [_test(checked.target, verdict, texts) for verdict in checked.verdicts]
    for note in checked.gating:
        test = _case(checked.target, note.name)
        _add(test, "failure", note.text, texts[note.name])
        tests.append(test)
    return _document([_suite(checked.target, tests)])


def merge(texts: Sequence[str], failed: Sequence[tuple[str, str]]) -> str:
    """Return one document of several; a target that has none is a suite with an error."""
    suites = [suite for text in texts for suite in ElementTree.fromstring(text.encode())]
    for target, why in failed:
        test = _case(target, "check")
        _add(test, "error", why)
        suites.append(_suite(target, [test]))
    return _document(suites)


def _document(suites: Iterable[Element]) -> str:
    root = Element("testsuites")
    root.extend(suites)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + text


def _suite(target: str, tests: Sequence[Element]) -> Element:
    outcomes = [outcome.tag for test in tests for outcome in test]
    suite = Element(
        "testsuite",
        name=_printable(target),
        tests=str(len(tests)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped=str(outcomes.count("skipped")),
    )
    suite.extend(tests)
    return suite


def _test(target: str, verdict: Verdict, texts: dict[str, str]) -> Element:
    test = _case(target, f"{verdict.invariant} {verdict.dtype}")
    if verdict.gates:
        kind = "error" if verdict.kind == "error" else "failure"
        _add(test, kind, gist(verdict), texts[verdict.invariant])
    elif verdict.kind in _IDLE:
        _add(test, "skipped", gist(verdict))
    return test


def _case(target: str, name: str) -> Element:
    return Element("testcase", classname=_printable(target), name=name)


def _add(test: Element, outcome: str, message: str, text: str | None = None) -> None:
    element = ElementTree.SubElement(test, outcome, message=_printable(message))
    element.text = text and _printable(text)


def _printable(text: str) -> str:
    """Return a text without control characters, which XML does not allow."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
