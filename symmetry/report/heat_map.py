"""A matrix of influences as a picture of characters: blank is zero, ``@`` the largest value."""

from __future__ import annotations

import math
from collections.abc import Iterator

from symmetry.observe.influence import Influence

_CHARACTERS = 72  # cells of a row
_SHADES, _ROUNDING = " .:-=+*#%@", 1e-9  # of a cell; shares of the largest value that are zero


def shaded(influence: Influence) -> Iterator[str]:
    """Yield the lines of a picture."""
    narrow = influence.within(_CHARACTERS)
    names = max(map(len, narrow.rows), default=0)
    shared = f", {narrow.together} in each cell (their mean)" if narrow.together > 1 else ""
    yield f"{narrow.title}: {narrow.across}{shared}"
    for name, values in zip(narrow.rows, narrow.values, strict=True):
        cells = "".join(_shade(value, narrow.largest) for value in values.tolist())
        yield f"  {name:{names}}  |{cells}|"
    yield f"  {narrow.scale}: blank is zero, {_SHADES[-1]} is {narrow.largest:.3g}"


def _shade(value: float, largest: float) -> str:
    if math.isnan(value) or value <= _ROUNDING * largest:
        return _SHADES[0]
    return _SHADES[math.ceil(value / largest * (len(_SHADES) - 1))]
