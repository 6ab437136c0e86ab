"""The end of a test that checks an invariant: what its verdicts mean in pytest."""

import pytest

from symmetry import session
from symmetry.checker.plan import Plan
from symmetry.checker.verdict import Checked
from symmetry.explanation.explained import Explained
from symmetry.report.answer import lines as answer_lines
from symmetry.report.explained import lines as explained_lines
from symmetry.report.failures import failures
from symmetry.report.verdicts import conclusion, gist
from symmetry.testing.plugin import NO_TEST


def end_test(plan: Plan, checked: Checked) -> None:
    """End a test as the verdicts on its invariant say: it fails, fails as expected, or is skipped.

    It also fails where the command ends with status 2 although there was something to judge: a
    test that is skipped from one day on, by an error of symmetry itself, is noticed by few. If it
    returns, the invariant holds.
    """
    verdicts = checked.verdicts
    if checked.gating or any(verdict.gates for verdict in verdicts):
        pytest.fail(_text(checked, session.explain_check(plan, checked)), pytrace=False)
    if reasons := [v.reason or "" for v in verdicts if v.kind == "expected failure"]:
        pytest.xfail(reasons[0])
        pytest.fail(_text(checked), pytrace=False)  # only under --runxfail
    if any(verdict.unproved or verdict.kind == "not finished" for verdict in verdicts):
        pytest.fail(conclusion(checked), pytrace=False)
    if not any(verdict.kind in ("holds", "rounding") for verdict in verdicts):
        why = dict.fromkeys(f"{verdict.kind}: {gist(verdict)}" for verdict in verdicts)
        idle = bool(verdicts) and all(verdict.kind == "not applicable" for verdict in verdicts)
        pytest.skip("; ".join((*([NO_TEST] if idle else []), *why)))


def _text(checked: Checked, explained: Explained | None = None) -> str:
    """Return what the command prints: the answer, then all that is known of each failure."""
    details = [text for lines in failures(checked) for text in ("", *lines)]
    culprit = () if explained is None else ("", *explained_lines(explained))
    conditions = ("", *checked.remarks, *checked.heading[1:])
    return "\n".join((*answer_lines(checked, explained), *details, *culprit, *conditions))
