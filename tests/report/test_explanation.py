from __future__ import annotations

import json
from dataclasses import replace

from symmetry.culprit.explanation import Asymmetry, Culprit, Explanation, Named, Operand
from symmetry.report.explanation import lines, to_json

APART = Asymmetry("even units | odd units", 3, 2.5e-7)
FOUND = Culprit(
    operation=Named("aten.mm", "train.py:7", "g = h.T @ d", "backward"),
    iteration=2,
    cause="its operands are the same for like hidden units, its result is not",
    operands=(
        Operand("float32", (4, 9), (1, 4), "transposed", "hidden units along axis 0, all the same"),
        Operand("float32", (9,), (1,), "contiguous", "", written=True),
    ),
    result=Operand("float32", (4, 3), (3, 1), "contiguous", "hidden units along axis 0"),
    asymmetry=APART,
    remarks=("operand 2 was made by aten.copy_ (train.py:3)",),
    weight="all",
    replayed="done alone on the same operands it returns the same bits",
    reproduced=True,
    script="import torch\n\nprint(1)\n",
    script_shows="units that differ from unit 0: [1, 3]",
)
EXPLAINED = Explanation(
    "mine", "explained", 2, 2, "w2", APART, 35, (FOUND,), (), ("JAX was not compiled",)
)


def text(explanation: Explanation) -> str:
    return "\n".join(lines(explanation))


def test_an_explanation():
    assert (
        text(EXPLAINED)
        == """\
mine: hidden units part in iteration 2 (w2: even units | odd units; 3 ulps, a relative 2.5e-07 \
apart), because of aten.mm

operation   aten.mm: its operands are the same for like hidden units, its result is not
where       iteration 2, train.py:7 (during backward)
              g = h.T @ d
operand 1   float32 (4, 9), transposed (strides 1, 4); hidden units along axis 0, all the same
operand 2   float32 (9,), contiguous; written to
result      float32 (4, 3), contiguous; hidden units along axis 0
units       even units | odd units; 3 ulps, a relative 2.5e-07 apart
            operand 2 was made by aten.copy_ (train.py:3)
alone       done alone on the same operands it returns the same bits
            with this one result made symmetric, the step stays symmetric
script      prints units that differ from unit 0: [1, 3]

import torch

print(1)

note        JAX was not compiled
observed    35 array operations"""
    )


def test_nothing_broke():
    explanation = Explanation("numba", "nothing broke", 5, observed=1, remarks=("one core",))
    assert (
        text(explanation)
        == """\
numba: nothing broke: in 5 iterations all like hidden units stayed the same

note        one core
observed    1 array operation"""
    )


def test_what_could_not_be_found_is_said():
    def headline(outcome):
        return text(replace(EXPLAINED, outcome=outcome, culprits=())).splitlines()[0]

    assert headline("compiled").endswith(
        "but only the compiled step breaks: its operations one by one do not"
    )
    assert headline("not while observed").endswith(
        "but not while its array operations are observed"
    )
    assert headline("lost").endswith(
        "because of code that cannot be observed: no operation that was seen did it"
    )


def test_several_culprits():
    second = replace(FOUND, operation=Named("aten.add_"), weight="enough")
    explanation = replace(EXPLAINED, culprits=(FOUND, second), further=(Named("aten.sum", "t:1"),))
    found = text(explanation)
    assert "because of aten.mm; aten.add_ would do so as well" in found
    assert "with the other culprits' results made symmetric" in found
    assert "as well     aten.sum (t:1)" in found


def test_without_a_script():
    found = text(
        replace(
            EXPLAINED,
            culprits=(replace(FOUND, script=None, script_shows=None, without_script="too long"),),
        )
    )
    assert "script      none: too long" in found


def test_a_long_list_is_cut():
    shows = f"units that differ from unit 0: {list(range(100))}"
    found = text(replace(EXPLAINED, culprits=(replace(FOUND, script_shows=shows),)))
    (line,) = [line for line in found.splitlines() if line.startswith("script")]
    assert line.endswith(", ...]")
    assert len(line) < 90


def test_json_has_everything_and_no_infinities():
    explanation = replace(EXPLAINED, asymmetry=replace(APART, relative=float("inf")))
    content = json.loads(to_json(explanation))
    assert content["outcome"] == "explained"
    assert content["asymmetry"]["relative"] == "inf"
    assert content["culprits"][0]["operation"]["name"] == "aten.mm"
    assert content["culprits"][0]["operands"][0]["shape"] == [4, 9]
