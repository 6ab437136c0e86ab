"""Checks of a training that have problems, notes, or nothing to prove."""

from __future__ import annotations

from dataclasses import replace

from symmetry.checker.verdict import Checked, Verdict
from symmetry.explanation.explained import Culprit, Difference, Explained
from symmetry.law.measurement import FAILS, Violation
from symmetry.law.note import Note
from tests.catalogues import select_trainings

ABOUT = {each.name: each for each in select_trainings(["*"])}
PERMUTED = Verdict(
    ABOUT["symmetry/permutation"],
    "float32",
    "violated",
    cases=2,
    counted=2,
    violation=Violation("model.0.bias[1] is 1, not 2", 1, "model.0.bias", group="layer 0 units"),
    message="model.0.bias[1] is 1, not 2",
    steps=4,
    ratio=1.8e6,
    threshold=30,
)
SPLIT = replace(
    PERMUTED,
    about=ABOUT["symmetry/clones"],
    violation=Violation("clones split", 1, "model.0.bias", units=(7, 0), group="layer 0 units"),
    message="clones split",
    ratio=900.0,
)
UNITS = (PERMUTED, replace(PERMUTED, dtype="float64"), SPLIT, replace(SPLIT, dtype="float64"))
LOGITS = Verdict(
    ABOUT["loss/inputs"],
    "float64",
    "violated",
    violation=Violation("cross_entropy is given probabilities", 1, "", file="train.py", line=9),
    message="cross_entropy is given probabilities",
)
HOLDS = Verdict(ABOUT["symmetry/repeatable"], "float32", "holds", 3, 3)
IDLE = Verdict(ABOUT["training/scale"], "float32", "not applicable", message="no scaler")
VACUOUS = Verdict(ABOUT["training/moves"], "float32", "vacuous", message="no optimiser stepped")
RAISED = Verdict(
    ABOUT["symmetry/repeatable"],
    "float32",
    "error",
    message="train.py raised ValueError: 100 % <no>\nat all (my code/train.py:7)",
    violation=Violation(
        "raises ValueError: 100 % <no>\nat all",
        0,
        "",
        file="my code/train.py",
        line=7,
        mechanism=FAILS,
    ),
)
NOTE = Note("loss/scaling", "the loss is a sum, and a mean", "train.py", 12)
CULPRIT = Culprit(
    operation="clamp_",
    file="train.py",
    line=17,
    source="parameter.grad[:-1].clamp_(-1, 1)",
    phase="update",
    module="",
    parameter="",
    rows="",
    step=1,
    cause="it leaves out the last unit",
    operands=(),
    result=None,
    difference=Difference("the last 1 of 8", None, 0.5, "a jump"),
)
EXPLAINED = Explained(
    "train.py",
    "explained",
    4,
    step=1,
    difference=Difference("the last 1 of 8", None, 0.5, "a jump"),
    culprits=(CULPRIT,),
)


def checked(*verdicts: Verdict, **facts: object) -> Checked:
    return Checked("train.py", 0, None, verdicts, **facts)
