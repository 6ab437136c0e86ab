"""A matrix of influences as a picture: white is zero, the darkest blue the largest value.

In a terminal a character stands for a cell: blank is zero, ``@`` the largest value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symmetry.observe.influence import Influence

WIDTH, LEFT, CELL = 1100, 250, 22  # pixels: of a picture, of its names, and the height of a row
_COLUMNS, _CHARACTERS = 160, 72  # cells of a row
_SHADES, _ROUNDING = " .:-=+*#%@", 1e-9  # of a cell; shares of the largest value that are zero
_NOTHING, _ZERO, _LARGEST = "#e2e2e2", (255, 255, 255), (8, 69, 148)  # colours


@dataclass(frozen=True)
class Cell:
    """A rectangle of the picture, with its colour and the text that a reader sees over it."""

    x: float
    y: float
    width: float
    colour: str
    title: str


@dataclass(frozen=True)
class HeatMap:
    """One matrix as it is drawn."""

    influence: Influence
    cells: tuple[Cell, ...]
    end: float  # of the last column, in pixels

    @property
    def height(self) -> int:
        """Its height in pixels, with the row that names the columns."""
        return (len(self.influence.rows) + 2) * CELL

    @property
    def across(self) -> str:
        """The meaning of a column in words, and how many share a cell."""
        together = self.influence.together
        shared = f", {together} in each cell (their mean)" if together > 1 else ""
        return f"{self.influence.across}{shared}"


def heat_maps(influences: Iterable[Influence]) -> tuple[list[HeatMap], list[tuple[str, str]]]:
    """Return pictures with one scale, and the scale: some colours, each with its value."""
    narrow = [influence.within(_COLUMNS) for influence in influences]
    largest = max((influence.largest for influence in narrow), default=0.0)
    drawn = [HeatMap(i, tuple(_cells(i, largest)), LEFT + _width(i) * i.columns) for i in narrow]
    scale = [(_colour(share), f"{share * largest:.3g}") for share in (0, 0.25, 0.5, 0.75, 1)]
    return drawn, scale


def shaded(influence: Influence) -> Iterator[str]:
    """Yield the lines of a picture made of characters."""
    narrow = influence.within(_CHARACTERS)
    names = max(map(len, narrow.rows), default=0)
    yield f"{narrow.title}: {HeatMap(narrow, (), 0.0).across}"
    for name, values in zip(narrow.rows, narrow.values, strict=True):
        cells = "".join(_shade(value, narrow.largest) for value in values.tolist())
        yield f"  {name:{names}}  |{cells}|"
    yield f"  {narrow.scale}: blank is zero, {_SHADES[-1]} is {narrow.largest:.3g}"


def _shade(value: float, largest: float) -> str:
    if math.isnan(value) or value <= _ROUNDING * largest:
        return _SHADES[0]
    return _SHADES[math.ceil(value / largest * (len(_SHADES) - 1))]


def _width(influence: Influence) -> float:
    return min((WIDTH - LEFT) / max(influence.columns, 1), 2.0 * CELL)


def _cells(influence: Influence, largest: float) -> Iterator[Cell]:
    width = _width(influence)
    for row, (name, values) in enumerate(zip(influence.rows, influence.values, strict=True)):
        for column, value in enumerate(values.tolist()):
            known = not math.isnan(value)
            colour = _colour(value / largest if largest else 0.0) if known else _NOTHING
            text = f"{value:.4g}" if known else "nothing here"
            title = f"{name}, {column + 1}: {text}"
            yield Cell(LEFT + column * width, row * CELL, width, colour, title)


def _colour(share: float) -> str:
    """Return the colour of a share of the largest value."""
    mixed = (
        round(zero + share * (most - zero)) for zero, most in zip(_ZERO, _LARGEST, strict=True)
    )
    return "#" + "".join(f"{each:02x}" for each in mixed)
