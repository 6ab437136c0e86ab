"""An explanation as lines of text for the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from symmetry.culprit.explanation import Asymmetry, Culprit, Explanation, Named, Operand
from symmetry.units.words import in_ulps

_WEIGHTS = {
    "all": "with this one result made symmetric, the step stays symmetric",
    "enough": "with the other culprits' results made symmetric, this one still breaks the step",
}
_LONGEST = 60  # characters of what a script printed
_WIDTH = 12  # of the first column


def lines(explanation: Explanation) -> Iterator[str]:
    """Yield what a person wants to read, the most important things first."""
    yield _headline(explanation)
    for culprit in explanation.culprits:
        yield ""
        yield from _culprit(culprit)
    yield ""
    for operation in explanation.further:
        yield from _row("as well", _where(operation))
    for remark in explanation.remarks:
        yield from _row("note", remark)
    yield from _row("observed", f"{_count(explanation.observed, 'array operation')}")


def to_json(explanation: Explanation) -> str:
    """Return all of it as JSON; numbers that JSON has not are strings."""
    return json.dumps(_plain(asdict(explanation)), indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _headline(explanation: Explanation) -> str:
    name = explanation.trainer
    steps = _count(explanation.iterations, "iteration")
    if explanation.outcome == "nothing broke":
        return f"{name}: nothing broke: in {steps} all like hidden units stayed the same"
    broken = f"{name}: hidden units part in iteration {explanation.broken}"
    if explanation.asymmetry is not None:
        broken += f" ({explanation.matrix}: {_apart(explanation.asymmetry)})"
    if explanation.culprits:
        first, *others = dict.fromkeys(culprit.operation.name for culprit in explanation.culprits)
        later = f"; {' and '.join(others)} would do so as well" if others else ""
        return f"{broken}, because of {first}{later}"
    if explanation.outcome == "compiled":
        return f"{broken}, but only the compiled step breaks: its operations one by one do not"
    if explanation.outcome == "not while observed":
        return f"{broken}, but not while its array operations are observed"
    return f"{broken}, because of code that cannot be observed: no operation that was seen did it"


def _culprit(culprit: Culprit) -> Iterator[str]:
    during = f" (during {culprit.operation.during})" if culprit.operation.during else ""
    yield from _row("operation", f"{culprit.operation.name}: {culprit.cause}")
    yield from _row("where", f"iteration {culprit.iteration}, {culprit.operation.place}{during}")
    if culprit.operation.source:
        yield from _row("", f"  {culprit.operation.source}")
    for number, operand in enumerate(culprit.operands, 1):
        yield from _row(f"operand {number}", _operand(operand))
    yield from _row("result", _operand(culprit.result))
    yield from _row("units", _apart(culprit.asymmetry))
    for remark in culprit.remarks:
        yield from _row("", remark)
    yield from _row("alone", culprit.replayed)
    if culprit.weight in _WEIGHTS:
        yield from _row("", _WEIGHTS[culprit.weight])
    if culprit.script is None:
        yield from _row("script", f"none: {culprit.without_script}")
        return
    shows = culprit.script_shows or ""
    shows = shows if len(shows) <= _LONGEST else shows[:_LONGEST].rpartition(",")[0] + ", ...]"
    yield from _row("script", f"prints {shows}")
    yield ""
    yield from culprit.script.splitlines()


def _operand(operand: Operand) -> str:
    shape = ", ".join(map(str, operand.shape)) + ("," if len(operand.shape) == 1 else "")
    text = f"{operand.dtype} ({shape}), {operand.memory}"
    if operand.memory != "contiguous":
        text += f" (strides {', '.join(map(str, operand.strides))})"
    if operand.written:
        text += "; written to"
    return f"{text}; {operand.units}" if operand.units else text


def _apart(asymmetry: Asymmetry) -> str:
    distance = f"a relative {asymmetry.relative:.2g}"
    if asymmetry.ulps is not None:
        distance = f"{in_ulps(asymmetry.ulps)}, {distance}"
    return f"{asymmetry.groups}; {distance} apart"


def _where(named: Named) -> str:
    return f"{named.name} ({named.place})" if named.place else named.name


def _row(label: str, text: str) -> Iterator[str]:
    yield f"{label:<{_WIDTH}}{text}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
