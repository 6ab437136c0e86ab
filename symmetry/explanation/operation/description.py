"""The description of a captured operation, as ``symmetry explain`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from symmetry.base.libraries import Phase
from symmetry.explanation.explained import Culprit, Operand
from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.explanation.operation.cause import Cause, cause_of
from symmetry.explanation.operation.difference import Layout, difference, jump
from symmetry.explanation.operation.origins import foreign_operands
from symmetry.explanation.operation.repetition import Repetition, write
from symmetry.explanation.search.location import Location
from symmetry.observe.tape import Event
from symmetry.units.compare import identical
from symmetry.units.state import Array


def at(event: Event) -> str:
    """Name an operation and where it is."""
    return f"{event.call.name} ({event.call.place})" if str(event.call.place) else event.call.name


class Description:
    """Describes a captured operation: its line, its cause, its arrays and the evidence.

    Attributes
    ----------
    inequality
        Its array in which the units differ.
    """

    def __init__(self, operation: CapturedOperation) -> None:
        self._operation, self.inequality = operation, operation.inequality
        self._layout, self._repetition = Layout(operation), Repetition(operation)

    @property
    def rounds(self) -> bool:
        """Whether the operation treats the units equally up to rounding."""
        return self._repetition.rounds

    @np.errstate(all="ignore")
    def culprit(self, size: str = "") -> Culprit:
        """Describe the operation; ``size`` is said of its difference if it is no jump."""
        operation, event = self._operation, self._operation.event
        cause = self._cause
        seen = event if cause.origin is None else cause.origin
        place = seen.call.place
        parameter, rows = self._named()
        entries = self._layout.entries
        replay = write(event, operation.position, entries, f"{event.call.name}: {cause.text}")
        return Culprit(
            operation=seen.call.name,
            file=str(place).rpartition(":")[0],
            line=place.line,
            source=place.source,
            phase=self._phase(seen, parameter),
            module=place.module,
            parameter=parameter,
            rows=rows,
            step=operation.runs.run.step_of(event.number),
            cause=operation.worded(cause.text),
            operands=tuple(
                map(self._operand, event.operands, event.call.dtypes, operation.operands)
            ),
            result=self._operand(operation.result, operation.result.dtype.name, operation.location),
            difference=difference(operation, self._layout, size or jump(operation)),
            pair=(operation.runs.exchange.b, operation.runs.exchange.a),
            remarks=tuple(map(operation.worded, self._remarks())),
            evidence=tuple(map(operation.worded, self._repetition.sentences())),
            script=replay,
        )

    @cached_property
    def _cause(self) -> Cause:
        return cause_of(self._operation)

    def _named(self) -> tuple[str, str]:
        """Return the user's name of the result, and its rows; empty if another line is guilty."""
        parameter, rows = self._operation.named if self._cause.origin is None else ("", "")
        return parameter, rows or (parameter and self._layout.odd_rows())

    def _phase(self, seen: Event, parameter: str) -> Phase:
        """Return the phase; outside of PyTorch's code, a write into a parameter is an update."""
        phase = seen.call.place.phase
        if phase == "other" and parameter and not parameter.startswith("the gradient"):
            return "optimizer"
        return phase

    def _operand(self, array: Array, dtype: str, location: Location | None) -> Operand:
        strides = tuple(stride // array.itemsize for stride in array.strides)
        memory = "transposed" if array.flags.f_contiguous else "strided"
        if array.flags.c_contiguous:
            memory = "contiguous"
        units = self._operation.worded(_units(array, location))
        return Operand(dtype, array.shape, strides, memory, units)

    def _remarks(self) -> Iterator[str]:
        """Yield the origins of operands that help to understand the operation."""
        event, events = self._operation.event, self._operation.runs.run.events
        origin, written = self._cause.origin, event.call.written
        for position in foreign_operands(self._operation):
            maker = event.makers[position]
            if maker is not None and (origin is None or maker != origin.number):
                yield f"operand {position + 1} was made by {at(events[maker])}"
        if origin is not None:
            yield f"the units first differ in {at(event)}"
        elif self.inequality.key[1] < len(written):
            for position, maker in enumerate(event.makers):
                if position not in written and maker is not None:
                    yield f"what it writes was made by {at(events[maker])}"


def _units(array: Array, location: Location | None) -> str:
    if location is None:
        return "no units"
    if not location.both:
        return "only one of the two units"
    where = (
        f"units along axis {location.axis}" if location.kind == "axis" else "units entry by entry"
    )
    return f"{where}, equal" if identical(*location.sides(array)) else f"{where}, which differ"
