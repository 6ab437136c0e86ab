"""A target that is a formula: what a search asks of it costs no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from symmetry.explanation.starts import TapedStart
from symmetry.observe.tape import Tape
from symmetry.units.state import Array, State
from symmetry.units.units import Part, Units

UNITS = Units("units", 6, (Part("w", axis=0),))


class ByFormula(TapedStart):
    """Six units, the entries of ``w``: each step makes new ones of them."""

    name, limit, groups = "formula", 30.0, (UNITS,)

    def __init__(self, formula: Callable[[Array], Array]) -> None:
        self._formula, self.state = formula, {"w": np.ones(6)}

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        state = start
        for _ in range(steps):
            state = {"w": self._formula(state["w"])}
            yield state
