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
        yield ""
        yield from _culprit(culprit, "first" if explanation.outcome == "rounding" else "culprit")
    yield ""
    for remark in explanation.remarks:
        yield from _row("note", remark)
    if explanation.step is not None:
        yield from _row("observed", count(explanation.observed, "array operation"))


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
        because = f"because of {short(explanation.culprits[0])}"
        if explanation.outcome == "rounding":
            return f"{split}, by rounding: the first that differs is {because.split(' ', 2)[2]}"
        return f"{split}, {because}"
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
    return ", ".join(filter(None, [text, culprit.rows, place(culprit)]))


def place(culprit: Culprit) -> str:
    """Return ``file:line``."""
    return f"{culprit.file}:{culprit.line}" if culprit.file else ""


def _culprit(culprit: Culprit, label: str) -> Iterator[str]:
    yield from _row(label, short(culprit))
    if culprit.source:
        yield from _row("", f"  {culprit.source}")
    yield from _row("cause", culprit.cause)
    yield from _row("step", str(culprit.step))
    for number, operand in enumerate(culprit.operands, 1):
        yield from _row(f"operand {number}", _operand(operand))
    yield from _row("result", _operand(culprit.result))
    yield from _row("units", _apart(culprit.difference))
    yield from _row("size", culprit.difference.size)
    for remark in culprit.remarks:
        yield from _row("origin", remark)
    for evidence in culprit.evidence:
        yield from _row("evidence", evidence)


def _operand(operand: Operand) -> str:
    shape = ", ".join(map(str, operand.shape)) + ("," if len(operand.shape) == 1 else "")
    text = f"{operand.dtype} ({shape}), {operand.memory}"
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


def _row(label: str, text: str) -> Iterator[str]:
    yield f"{label:<{_WIDTH}}{text}"
