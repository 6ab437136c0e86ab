"""How much each of some things counts in each of some others: a matrix, as pictures show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from symmetry.units.state import Array


@dataclass(frozen=True)
class Influence:
    """How much each of some terms or tokens counts in each of some gradients or losses.

    Example: two micro-batches of three and one tokens, each a mean over its own.

        micro-batch 1    1/6  1/6  1/6
        micro-batch 2    1/2   nan  nan
    """

    title: str  # what is shown, and where it is made
    rows: tuple[str, ...]  # a name for each row
    across: str  # the name of the columns
    values: Array  # one row for each name; nan where there is nothing
    scale: str  # the name of a value
    together: int = 1  # how many of the original columns each column stands for, by their mean

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return int(self.values.shape[1])

    @property
    def largest(self) -> float:
        """The largest value; 0 without any."""
        return float(np.nanmax(self.values, initial=0.0))

    def within(self, columns: int) -> Self:
        """Return the same with at most this number of columns: neighbours share one."""
        together = -(-self.values.shape[1] // columns)
        if together <= 1:
            return self
        width = -(-self.values.shape[1] // together) * together
        padded = np.full((len(self.rows), width), np.nan)
        padded[:, : self.values.shape[1]] = self.values
        grouped = padded.reshape(len(self.rows), -1, together)
        known = (~np.isnan(grouped)).sum(2)
        with np.errstate(invalid="ignore"):
            means = np.nansum(grouped, 2) / known
        return replace(self, values=means, together=self.together * together)
