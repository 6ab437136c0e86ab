"""An explanation as lines of text for the terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from symmetry.culprit.explanation import Culprit, Difference, Explanation, Operand
from symmetry.report.records import dump
from symmetry.units.words import count, in_ulps

_WIDTH = 12  # of the first column
_PHASES = {"forward": "forward", "backward": "backward", "optimizer": "optimiser", "other": ""}


def lines(explanation: Explanation) -> Iterator[str]:
    """Yield what a person wants to read, the most important things first."""
    yield headline(explanation)
    for culprit in explanation.culprits:
        label = "first" if explanation.outcome == "rounding" else "culprit"
        facts = ((label, short(culprit)), *_facts(culprit))
        yield from ("", *(f"{label:<{_WIDTH}}{text}" for label, text in facts))
    yield ""
    for remark in explanation.remarks:
        yield f"{'note':<{_WIDTH}}{remark}"
    if explanation.step is not None:
        yield f"{'observed':<{_WIDTH}}{count(explanation.observed, 'array operation')}"


def to_json(explanation: Explanation) -> str:
    """Return all of it as JSON; numbers that JSON has not are strings."""
    plain = [replace(culprit, script=None) for culprit in explanation.culprits]
    content = asdict(replace(explanation, culprits=tuple(plain)))
    for culprit, found in zip(content["culprits"], explanation.culprits, strict=True):
        culprit["script"] = found.script and found.script.text
    return dump(content) + "\n"


def headline(explanation: Explanation) -> str:
    """Say in one line what came out."""
    name, units = explanation.trainer, explanation.units
    if explanation.step is None:
        steps = count(explanation.steps, "step")
        return f"{name}: nothing split: in {steps} all equal units stayed equal"
    split = f"{name}: {units} split in step {explanation.step}"
    if explanation.difference is not None:
        split += f" ({explanation.array}: {_apart(explanation.difference)})"
    if explanation.culprits:
        by_rounding = explanation.outcome == "rounding"
        because = "by rounding: the first that differs is" if by_rounding else "because of"
        return f"{split}, {because} {short(explanation.culprits[0])}"
    return {
        "another way": f"{split}, and the run takes another way when units differ",
        "compiled only": f"{split}: compiled only; its operations one by one do not split them",
        "not while observed": f"{split}, but not while its array operations are observed",
    }.get(explanation.outcome, f"{split}: not reached: no operation that was seen splits them")


def short(culprit: Culprit) -> str:
    """Name a culprit in the user's terms.

    For example ``optimiser: mul_ on fc1.weight, rows 9 to 15, train.py:31``.
    """
    phase = _PHASES[culprit.phase]
    name = culprit.operation.removeprefix("aten.")
    text = f"{phase}: {name}" if phase else culprit.operation
    if culprit.parameter:
        text += f" on {culprit.parameter}"
    elif culprit.module:
        text += f" of {culprit.module}"
    place = f"{culprit.file}:{culprit.line}" if culprit.file else ""
    return ", ".join(filter(None, [text, culprit.rows, place]))


def _facts(culprit: Culprit) -> Iterator[tuple[str, str]]:
    if culprit.source:
        yield "", f"  {culprit.source}"
    yield "cause", culprit.cause
    yield "step", str(culprit.step)
    for number, operand in enumerate(culprit.operands, 1):
        yield f"operand {number}", _operand(operand)
    yield "result", _operand(culprit.result)
    yield "units", _apart(culprit.difference)
    yield "size", culprit.difference.size
    yield from (("origin", remark) for remark in culprit.remarks)
    yield from (("evidence", evidence) for evidence in culprit.evidence)


def _operand(operand: Operand) -> str:
    text = f"{operand.dtype} {operand.shape}, {operand.memory}"
    if operand.memory != "contiguous":
        text += f" (strides {', '.join(map(str, operand.strides))})"
    return f"{text}; {operand.units}"


def _apart(difference: Difference) -> str:
    if difference.ulps is None and difference.relative == 0:
        return difference.groups
    distance = f"a relative {difference.relative:.2g}"
    if difference.ulps is not None:
        distance = f"{in_ulps(difference.ulps)}, {distance}"
    return f"{difference.groups}; {distance} apart"
