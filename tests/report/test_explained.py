"""What an explanation says."""

from __future__ import annotations

import json
from dataclasses import replace

from symmetry import Explanation
from symmetry.explanation.explained import Culprit, Difference, Operand
from symmetry.finding.coverage import Unequal
from symmetry.observe.source_line import SourceLine
from symmetry.report.explained import named

APART = Difference("even units | odd units", 3, 2.5e-7, "a jump: 7 times what rounding can do")
FOUND = Culprit(
    operation="aten.mul_",
    file="train.py",
    line=31,
    source="p[9:16].mul_(0.99)",
    phase="optimizer",
    module="",
    parameter="fc1.weight",
    rows="rows 9 to 15",
    step=2,
    cause="its operands are equal for equal units, its result is not",
    operands=(Operand("float32", (4, 9), (1, 4), "transposed", "units along axis 0, equal"),),
    result=Operand("float32", (4,), (1,), "contiguous", "units along axis 0, which differ"),
    difference=APART,
    remarks=("operand 1 was made by aten.copy_ (train.py:3)",),
    evidence=("repeated alone: the same unequal result",),
)
EXPLAINED = Explanation(
    "mine", "explained", 2, 2, "fc1 hidden units", "w2", APART, 35, (FOUND,), ("a remark",)
)


def text(explanation: Explanation) -> str:
    return repr(explanation)


def test_an_explanation() -> None:
    assert (
        text(EXPLAINED)
        == """\
train.py:31 treats the fc1 hidden units differently: optimiser: mul_ on fc1.weight, rows 9 to 15
      p[9:16].mul_(0.99)
cause       its operands are equal for equal units, its result is not
step        2
operand 1   float32 (4, 9), transposed (strides 1, 4); units along axis 0, equal
result      float32 (4,), contiguous; units along axis 0, which differ
units       even units | odd units; 3 ulps, a relative 2.5e-07 apart
size        a jump: 7 times what rounding can do
origin      operand 1 was made by aten.copy_ (train.py:3)
evidence    repeated alone: the same unequal result
after       fc1 hidden units split in step 2 (w2: even units | odd units; 3 ulps, a relative \
2.5e-07 apart)

note        a remark
observed    35 array operations"""
    )


def test_a_notebook_shows_what_is_printed() -> None:
    culprit = replace(FOUND, source="a[b<c]")
    shown = replace(EXPLAINED, culprits=(culprit,))._repr_html_()
    assert shown.startswith("<pre>train.py:31 treats the fc1 hidden units differently")
    assert "a[b&lt;c]" in shown
    assert shown.endswith("observed    35 array operations</pre>")


def test_nothing_split() -> None:
    explanation = Explanation("numba", "nothing split", 5, remarks=("one core",))
    assert (
        text(explanation)
        == """\
numba: nothing split: in 5 steps all equal units stayed equal

note        one core"""
    )


def test_a_line_that_makes_units_unequal() -> None:
    place = SourceLine("/where/train.py", 14)
    layers = tuple(Unequal(n, 16, 0, "constant", "aten.mul", place) for n in ("l1", "l2"))
    cause = "it multiplies each by a number of its own"
    scale = replace(FOUND, operation="aten.mul", phase="forward", module="l1", parameter="")
    scale = replace(scale, rows="", step=1, file="train.py", line=14, source="h * linspace(1, 2)")
    scale = replace(scale, cause=cause, operands=(), result=None, difference=None)
    scale = replace(scale, remarks=(), evidence=("the units may be exchanged",))
    found = Explanation("mine", "unequal", 0, culprits=(scale,), without_units=layers)
    assert (
        text(found)
        == """\
mine: l1, l2: 16 units each, none equal: /where/train.py:14 multiplies each by a number of its own

culprit     forward: mul of l1, train.py:14
      h * linspace(1, 2)
cause       it multiplies each by a number of its own
step        1
evidence    the units may be exchanged
"""
    )
    content = json.loads(found.to_json())
    assert (content["outcome"], content["culprits"][0]["result"]) == ("unequal", None)
    assert [layer["module"] for layer in content["without_units"]] == ["l1", "l2"]


def test_what_could_not_be_found_is_said() -> None:
    def said(outcome: str) -> str:
        return replace(EXPLAINED, outcome=outcome, culprits=()).headline  # type: ignore[arg-type]

    assert said("compiled only").endswith(
        ": compiled only; its operations one by one do not split them"
    )
    assert said("not while observed").endswith("but not while its array operations are observed")
    assert said("another way").endswith("and the run takes another way when units differ")
    assert said("not reached").endswith(": not reached: no operation that was seen splits them")


def test_rounding_is_not_accused() -> None:
    first = replace(EXPLAINED, outcome="rounding")
    assert "mine: fc1 hidden units differ only by rounding, first in optimiser:" in first.headline


def test_a_step_of_no_training_is_named_by_its_operation() -> None:
    plain = replace(FOUND, phase="other", parameter="", rows="", operation="multiply")
    assert named(plain) == "multiply, train.py:31"


def test_json_has_everything_and_no_infinities() -> None:
    explanation = replace(EXPLAINED, difference=replace(APART, relative=float("inf")))
    content = json.loads(explanation.to_json())
    assert content["trainer"] == "mine"
    assert content["outcome"] == "explained"
    assert content["difference"]["relative"] == "inf"
    (culprit,) = content["culprits"]
    assert (culprit["operation"], culprit["file"], culprit["line"]) == ("aten.mul_", "train.py", 31)
    assert (culprit["phase"], culprit["parameter"]) == ("optimizer", "fc1.weight")
    assert culprit["operands"][0]["shape"] == [4, 9]
