"""An explanation, in lines of text and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict

from symmetry.base.records import dump
from symmetry.base.user_code import spell
from symmetry.explanation.explained import Culprit, Difference, Explained, Operand
from symmetry.report.units import layers_record, without_units
from symmetry.units.words import count, in_ulps

_PHASES = {"forward": "forward: ", "backward": "backward: ", "optimizer": "optimiser: "}
_LARGE = 0.1  # relative distances beyond which ulps say nothing
_DATA = ("samples", "inputs", "classes")
_WITHOUT_CULPRIT = {
    "another way": ", and the run takes another way when units differ",
    "compiled only": ": compiled only; its operations one by one do not split them",
    "not while observed": ", but not while its array operations are observed",
    "not reached": ": not reached: no operation that was seen splits them",
}


def headline(explained: Explained) -> str:
    """Return the answer in one line; it begins with the line of the code, if there is one."""
    if explained.outcome == "unequal":
        first, *more = without_units(explained.without_units)
        others = f"; and {count(len(more), 'more line')}" * bool(more)
        return f"{explained.target}: {first}{others}"
    if explained.step is None:
        steps = count(explained.steps, "step")
        return f"{explained.target}: nothing split: in {steps} all equal units stayed equal"
    if not explained.culprits:
        return f"{explained.target}: {_split(explained)}{_WITHOUT_CULPRIT[explained.outcome]}"
    first_culprit = explained.culprits[0]
    if explained.outcome == "rounding":
        return (
            f"{explained.target}: {explained.units} differ only by rounding, first in "
            f"{named(first_culprit)}"
        )
    kind = explained.units if explained.units == "samples" else f"the {explained.units}"
    where = spell(first_culprit.file, first_culprit.line) if first_culprit.file else ""
    return f"{where or explained.target} treats {kind} differently: {operation(first_culprit)}"


def lines(explained: Explained) -> Iterator[str]:
    """Yield what a person wants to read, the most important things first."""
    yield headline(explained)
    for number, culprit in enumerate(explained.culprits):
        if number or explained.outcome in ("rounding", "unequal"):
            label = "first" if explained.outcome == "rounding" else "culprit"
            yield from ("", f"{label:<12}{named(culprit)}")
        if culprit.source:
            yield f"      {culprit.source}"
        yield from (f"{label:<12}{text}" for label, text in _facts(culprit, explained.units))
    if explained.culprits and explained.outcome != "unequal":
        yield f"{'after':<12}{_split(explained)}"
    yield ""
    for remark in explained.remarks:
        yield f"{'note':<12}{remark}"
    if explained.step is not None:
        yield f"{'observed':<12}{count(explained.observed, 'array operation')}"


def to_json(explained: Explained) -> str:
    """Return the text of the file that ``symmetry explain --json`` writes."""
    content = asdict(explained)
    content = {"trainer": content.pop("target"), **content}
    content["without_units"] = layers_record(explained.without_units)
    for culprit in content["culprits"]:
        culprit["script"] = culprit["script"] and culprit["script"]["text"]
    return dump(content) + "\n"


def named(culprit: Culprit) -> str:
    """Name an operation in the user's terms, with its line.

    As in ``optimiser: mul_ on fc1.weight, rows 9 to 15, train.py:31``.
    """
    place = f", {spell(culprit.file, culprit.line)}" if culprit.file else ""
    return operation(culprit) + place


def operation(culprit: Culprit) -> str:
    """Name an operation without its line."""
    phase = _PHASES.get(culprit.phase)
    name = phase + culprit.operation.rpartition(".")[2] if phase else culprit.operation
    layer = "layer " * culprit.module.replace(".", "").isdigit()
    inside = f" of {layer}{culprit.module}" if culprit.module else ""
    on = f" on {culprit.parameter}" if culprit.parameter else inside
    return ", ".join(filter(None, [name + on, culprit.rows]))


def _split(explained: Explained) -> str:
    if explained.difference is None and explained.units == "samples":
        return f"exchanging two samples changes {explained.array}"
    if explained.difference is None:
        more = f"does more than exchange them in {explained.array}"
        return f"exchanging two of the {explained.units} {more}"
    far = _distance(explained.difference)
    return f"{explained.units} split in step {explained.step} ({explained.array}: {far})"


def _facts(culprit: Culprit, units: str) -> Iterator[tuple[str, str]]:
    """Yield what is known of an operation on these units, each with a label."""
    yield "cause", culprit.cause
    yield "step", str(culprit.step)
    yield from ((f"operand {i}", _array(operand)) for i, operand in enumerate(culprit.operands, 1))
    if culprit.result is not None and culprit.difference is not None:
        yield "result", _array(culprit.result)
        yield units if units in _DATA else "units", _distance(culprit.difference)
        yield "size", culprit.difference.size
    yield from (("origin", remark) for remark in culprit.remarks)
    yield from (("evidence", evidence) for evidence in culprit.evidence)


def _distance(difference: Difference) -> str:
    if difference.ulps is None and difference.relative == 0:
        return difference.groups
    large = difference.relative > _LARGE
    ulps = "" if difference.ulps is None or large else f"{in_ulps(difference.ulps)}, "
    return f"{difference.groups}; {ulps}a relative {difference.relative:.2g} apart"


def _array(operand: Operand) -> str:
    strides = f" (strides {', '.join(map(str, operand.strides))})"
    memory = operand.memory + strides * (operand.memory != "contiguous")
    return f"{operand.dtype} {operand.shape}, {memory}; {operand.units}"
