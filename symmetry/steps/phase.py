"""Where two-layer steps first differ: forward, backward or update, as their weights show.

Nothing inside of a step is seen. But w2's bias row moves by the mean of the outputs' errors, which
only the forward decides on; w2's hidden rows and w1 by what the backward makes of them; and an
update that is another one moves all arrays by the same multiple, or by a multiple of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmetry.units.state import Array, State, largest

Doubles = NDArray[np.float64]


def phase_of(
    start: State,
    mine: State,
    theirs: State,
    responses: Mapping[str, float],
    limit: float,
    *,
    alone: bool,
) -> tuple[str, str]:
    """Return the phase, and the evidence for it.

    Parameters
    ----------
    start, mine, theirs
        The weights before the step, and after the step of the reference and of the other: ``w1`` of
        shape (i + 1, h) and ``w2`` of shape (h + 1, c), row 0 of each the bias.
    responses, limit
        How far one ulp moves each array, and by how many of these the two may differ.
    alone
        Whether this step differs if it is the first one from there.
    """
    if not alone:
        return "update", "a fresh step from there agrees, so what is kept between steps does not"
    allowed = {name: limit * responses.get(name, 0.0) for name in mine}
    moved = {name: _moved(start[name], mine[name]) for name in mine}
    other = {name: _moved(start[name], theirs[name]) for name in mine}
    factor = _multiple(moved, other)
    if _explains(moved, other, allowed, factor):
        return "update", f"all weights move {factor:.6g} times as far"
    rest = {name: other[name] - moved[name] for name in mine}
    weights = {name: start[name].astype(np.float64) for name in mine}
    decay = _multiple(weights, rest)
    if decay and _explains(weights, rest, allowed, decay):
        return "update", f"the weights change by {decay:.6g} of themselves beside the gradient"
    apart = {name: abs(rest[name]) > allowed[name] for name in mine}
    if apart["w2"][0].any():
        return "forward", "the bias row of w2 moves otherwise, as the mean error of the outputs"
    agrees = "the bias row of w2 agrees, and with it the outputs"
    if not apart["w2"].any():
        return "backward", f"{agrees}; so do the hidden rows of w2; w1 does not"
    both = " and w1" if apart["w1"].any() else ""
    return "backward", f"{agrees}; the hidden rows of w2{both} do not"


def _moved(before: Array, after: Array) -> Doubles:
    return np.subtract(after, before, dtype=np.float64)


def _multiple(a: Mapping[str, Doubles], b: Mapping[str, Doubles]) -> float:
    """Return the number of times that ``a`` is most nearly ``b``."""
    whole = sum(float((x * x).sum()) for x in a.values())
    return sum(float((a[name] * b[name]).sum()) for name in a) / whole if whole else 0.0


def _explains(
    a: Mapping[str, Doubles], b: Mapping[str, Doubles], allowed: Mapping[str, float], factor: float
) -> bool:
    """Return whether ``b`` is a multiple of ``a``, up to rounding."""
    return all(largest(b[n] - factor * a[n]) <= max(1.0, abs(factor)) * allowed[n] for n in a)
