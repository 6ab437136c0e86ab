"""An operation performed again, alone: here, as evidence, and by a script with saved operands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.base.libraries import Replay, of_call
from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.explanation.search.inequality import apart
from symmetry.observe.tape import Event
from symmetry.units.compare import identical
from symmetry.units.state import Array

_ROUNDING = 1e-4  # of a difference is left in float64 where it is of rounding; else all is left


class Repetition:
    """Performs an operation again, as it was and in float64."""

    def __init__(self, operation: CapturedOperation) -> None:
        self._operation = operation

    @cached_property
    @np.errstate(all="ignore")
    def rounds(self) -> bool:
        """Whether it treats the units equally up to rounding: in float64 they are much nearer."""
        location, result = self._operation.location, self._operation.result
        if not location.both or result.dtype.kind != "f":
            return False
        try:
            precise = self._again(precisely=True)
        except Exception:  # whatever a library raises, that does not have it in float64
            return False
        if precise is None or precise.dtype != np.float64 or precise.shape != result.shape:
            return False
        near, far = (apart(*location.sides(array)) for array in (precise, result))
        return bool(np.isfinite(far) and near <= _ROUNDING * far)

    def sentences(self) -> Iterator[str]:
        """Yield what the repetitions show, in sentences."""
        operation = self._operation
        location, before = operation.location, operation.event.arrays[operation.inequality.key[1]]
        try:
            after = self._again()
        except Exception as error:  # whatever a library raises
            yield f"repeated alone: it raises {type(error).__name__}"
            return
        if after is None:
            return
        if not (location.both and operation.runs.run.groups):
            yield f"repeated alone: {'the same' if identical(before, after) else 'another'} result"
        elif before.shape != after.shape or identical(*location.sides(after)):
            yield "repeated alone: the result is equal for equal units"
        elif identical(before, after):
            yield "repeated alone: the same unequal result"
        else:
            yield "repeated alone: an unequal result again, with other numbers"
        if self.rounds:
            yield "repeated alone in float64: the units are equal, up to the rounding of float64"

    def _again(self, *, precisely: bool = False) -> Array | None:
        """Perform the operation on copies of its operands; None if it writes undeclared."""
        event, q = self._operation.event, self._operation.inequality.key[1]
        operands = [
            array.astype(np.float64) if precisely and array.dtype.kind == "f" else array.copy("K")
            for array in event.operands
        ]
        results = event.call.perform(operands)
        brought = [*(operands[p] for p in event.call.written), *results]
        return brought[q] if q < len(brought) == event.fresh else None


_NUMPY = Replay("", "np.random.seed(0)", lambda text, _: text, "result")
_BOTH = """\
units, rows = saved["units"].tolist(), result.ravel()[saved["entries"]]
usual = rows[0]
differ = [u for u, row in zip(units, rows) if not np.array_equal(row, usual, equal_nan=True)]
print(f"units that differ from unit {units[0]}:", sorted(differ))
"""
_ALONE = """\
again = np.array_equal(result, saved["recorded"])
print("alone, the result is the same as in the run:", again)
"""


@dataclass(frozen=True)
class ReplayScript:
    """Lines of Python, and the arrays that they read from a file of the same name, ``.npz``."""

    text: str
    arrays: Mapping[str, Any]

    def files(self, file: Path) -> dict[Path, str | bytes]:
        """Return what to write: the script under this name, and the arrays beside it."""
        arrays = BytesIO()
        np.savez(arrays, **self.arrays)
        return {file: self.text, file.with_suffix(".npz"): arrays.getvalue()}


def write(event: Event, q: int, entries: Mapping[int, Array], comment: str) -> ReplayScript | None:
    """Write the script; None if the operation cannot be written down.

    The units differ in array ``q`` of the event: ``entries`` belong to each unit, the usual one
    first. There are no entries if the operation belongs to one unit alone.
    """
    call, names = event.call, [f"a{n}" for n in range(len(event.operands))]
    line, replay = call.write(names), _replay_of(call.library)
    if line is None or replay is None:
        return None
    arrays: dict[str, Array] = {}
    body = [f"# {comment}", "from pathlib import Path", "", "import numpy as np"]
    body += [replay.imports] if replay.imports else []
    body += ["", 'saved = np.load(Path(__file__).with_suffix(".npz"))']
    for name, operand, dtype in zip(names, event.operands, call.dtypes, strict=True):
        order = sorted(range(operand.ndim), key=lambda axis: -abs(operand.strides[axis]))
        arrays[name] = np.array(operand.transpose(order), order="C")
        body.append(f"{name} = {replay.array(_transposed(name, order), dtype)}")
    body += [replay.seed] if call.random else []
    written = list(call.written)
    if q < len(written):
        body += [line, f"result = {names[written[q]]}"]
    else:
        body += [f"result = {line}"]
        if event.fresh - len(written) > 1:
            body += [f"result = result[{q - len(written)}]"]
    if replay.result != "result":
        body += [f"result = {replay.result}"]
    if entries:
        arrays |= {"units": np.array([*entries]), "entries": np.stack([*entries.values()])}
    else:
        arrays["recorded"] = event.arrays[q]
    return ReplayScript("\n".join([*body, _BOTH if entries else _ALONE]), arrays)


def _replay_of(library: str) -> Replay | None:
    if library == "numpy":
        return _NUMPY
    known = of_call(library)
    return None if known is None else known.replay


def _transposed(name: str, order: Sequence[int]) -> str:
    """Return the expression of an operand whose axes were saved in this order."""
    inverse = [order.index(axis) for axis in range(len(order))]
    text = f'saved["{name}"]'
    if inverse != sorted(inverse):
        text += f".transpose({', '.join(map(str, inverse))})"
    return text
