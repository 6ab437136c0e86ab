"""The public face: what can be imported, and what a report is."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest

import symmetry
from symmetry import Report, SymmetryError, Verdict, check
from symmetry.checker.progress import Progress
from symmetry.report.record import record
from tests.cli.inside import symmetry as command
from tests.conftest import slow
from tests.steps import checked as steps

VIOLATED = """
def step(x, y, w1, w2, lr):
    w1 = w1 + 1
    w1[:, -1] += 1
    return w1, w2 + 1
"""
OPTIONS = {"only": "symmetry/w2-rows", "examples": 10, "dtype": "float32"}


@pytest.mark.parametrize("name", sorted({*symmetry.__all__} - {"find_units"}))
def test_every_public_name_is_there(name):
    assert getattr(symmetry, name).__name__ == name
    assert name in dir(symmetry)


def test_names_that_need_a_library_are_no_part_of_all():
    assert symmetry.check_loss.__name__ == "check_loss"
    assert {"TrainerCallback", "LightningCallback", "check_loss"} <= {*dir(symmetry)}
    assert {"TrainerCallback", "LightningCallback", "check_loss"}.isdisjoint(symmetry.__all__)


def test_there_are_no_other_names():
    with pytest.raises(AttributeError, match="has no attribute 'explains'"):
        _ = symmetry.explains


def test_importing_it_imports_nothing_heavy():
    code = "import symmetry, sys; sys.exit(bool({'numpy', 'numba', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_report_is_its_verdicts():
    report = check(steps.sound, **OPTIONS)
    assert isinstance(report, Report)
    assert report.ok
    (verdict,) = report
    assert isinstance(verdict, Verdict)
    assert report.verdicts == (verdict,)
    assert len(report) == 1
    assert (verdict.invariant, verdict.kind, verdict.gates) == ("symmetry/w2-rows", "holds", False)
    found = json.loads(report.to_json())
    assert (found["verdict"], found["judged"]) == ("sound", ["symmetry/w2-rows"])


def test_what_gates_or_was_not_checked_is_not_ok():
    assert not check(steps.last_unit_off, only="symmetry/w1-columns", examples=10).ok
    assert not check(steps.frozen, examples=3).ok


@pytest.mark.slow
def test_rounding_is_ok_unless_all_must_hold_exactly():
    rounded = check(steps.last_unit_rounded, **OPTIONS)
    assert (rounded.ok, rounded.verdicts[0].kind) == (True, "rounding")
    assert rounded  # as ``ok``
    assert not check(steps.last_unit_rounded, exact=True, **OPTIONS)
    expected = {"symmetry/w2-rows": "BLAS"}
    assert check(steps.last_unit_rounded, expected_failures=expected, **OPTIONS).ok


@pytest.mark.parametrize("arguments", [OPTIONS, slow({"examples": 3})])
def test_printed_it_is_what_the_command_prints(tmp_path, arguments):
    options = [f"--{name}={value}" for name, value in arguments.items()]
    printed = command("check", "numpy", *options, cwd=tmp_path).out
    assert f"{check('numpy', **arguments)}\n" == printed


def test_printed_a_violation_is_what_the_command_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(VIOLATED)
    options = ("--only", "symmetry/w1-columns", "--examples", "5", "--no-explain")
    printed = command("check", "mine.py:step", *options, cwd=tmp_path)
    assert printed.status == 1
    report = check("mine.py:step", only="symmetry/w1-columns", examples=5)
    assert f"{report!r}\n" == printed.out


@pytest.mark.slow
def test_a_verdict_knows_all_that_its_record_has():
    report = check(steps.last_unit_off, examples=5)
    for verdict, found in zip(report, record(report)["results"], strict=True):
        for name in ("iteration", "matrix", "units", "entry", "relative", "groups", "rounding"):
            value = getattr(verdict, name)
            assert value == found[name], name
    assert report.verdicts[0].matrix == "w1"


def test_in_a_notebook_the_answer_comes_first_and_a_table_unfolds():
    class Cells(HTMLParser):
        open = 0
        cells = 0

        def handle_starttag(self, tag, attributes):
            self.open += 1
            self.cells += tag == "td"

        def handle_endtag(self, tag):
            self.open -= 1

    name = "it's <b>.py:step"
    report = Report(name, 0, 1, check(steps.last_unit_off, examples=5).verdicts, (name,))
    text = report._repr_html_()
    page = Cells()
    page.feed(text.replace("<br>", ""))
    assert page.open == 0
    assert page.cells == 4 * len(report)
    assert "it&#39;s &lt;b&gt;.py:step" in text
    assert "<summary>after step " in text
    assert "by more than rounding explains" in text
    assert text.count("</details>") == 1 + sum(verdict.case is not None for verdict in report)
    assert text.index(".py:step: 4 problems (10 checks)") < text.index("<table>")


def test_progress_is_an_object_with_methods():
    with pytest.raises(SymmetryError, match="not a builtin"):
        check(steps.sound, progress=print, **OPTIONS)


def test_progress_is_told():
    class Told(Progress):
        def begin(self, heading):
            seen.append(heading[0])

        def verdict(self, verdict):
            seen.append(verdict.kind)

    seen = []
    check("numba", progress=Told(), **OPTIONS)
    assert seen == ["numba: 1 invariant on 10 cases in float32, seed 0", "holds"]


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("tourch", {}, "did you mean 'torch'"),
        (42, {}, "is of type int, expected a two-layer step"),
        (lambda a: a, {}, r"takes \(a\), expected a two-layer step"),
        (steps.sound, {"only": "clones"}, "no invariant matches 'clones'"),
    ],
)
def test_what_makes_no_sense_is_one_line(target, options, message):
    with pytest.raises(SymmetryError, match=message) as caught:
        check(target, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float16"}, "dtype must be one of float32, float64, not 'float16'"),
        ({"steps": 0}, "steps must be an integer of at least 1, not 0"),
        ({"steps": "2"}, "steps must be an integer of at least 1, not '2'"),
    ],
)
def test_an_option_of_explain_that_makes_no_sense_is_refused(options, message) -> None:
    with pytest.raises(SymmetryError) as refused:
        symmetry.explain("numpy", **options)
    assert str(refused.value) == message
