"""The evidence: the operation is performed again, alone, on the operands that it had."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.explanation.search.inequality import apart
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
