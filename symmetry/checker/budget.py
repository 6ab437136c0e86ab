"""The CPU seconds that a check may take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from symmetry.base.calls import running
from symmetry.base.processes import cpu_seconds


class Budget:
    """CPU seconds, of which only those inside of ``spending`` are counted.

        with budget.spending():
            ...                     a call of the target raises ``BudgetSpent`` once they are used

    Parameters
    ----------
    seconds
        How many there are; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.left = math.inf if seconds is None else seconds

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the CPU seconds of the block, whose calls end with those that are left."""
        began, outer = cpu_seconds(), running.limit
        running.limit = min(outer, began + self.left)
        try:
            yield
        finally:
            running.limit = outer
            self.left -= cpu_seconds() - began
