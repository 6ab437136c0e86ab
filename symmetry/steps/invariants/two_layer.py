"""Measurements of two-layer steps alone: their inputs and classes, and their samples."""

import numpy as np
from numpy.typing import NDArray

from symmetry.law import equivariance as law
from symmetry.law.measurement import Measurement, Violation
from symmetry.steps.start import StepStart
from symmetry.units import compare
from symmetry.units.compare import Floats
from symmetry.units.state import finite, has_moved


def without_dead_rows(start: StepStart) -> StepStart:
    """Return the same start with zeros in the rows of w1 that belong to dead inputs."""
    w1 = start.w1.copy()
    w1[_dead(start)] = 0
    return start.at({"w1": w1})


def rearranged(start: StepStart, kind: str) -> Measurement:
    """Compare a step from rearranged samples, inputs or classes with the rearranged result."""
    return law.rearranged(start, (start.units(kind),), kind)


def dead_inputs(start: StepStart) -> Measurement:
    """Compare the rows of w1 that belong to dead inputs with zero, along a run.

    The rows start at zero, the other weights as they are. The first iteration with a
    number that is not finite is not judged.

    Witness: a dead and a live input; a live row moved.
    """
    start, dead = without_dead_rows(start), _dead(start)
    if not dead.any():
        return Measurement(counted=False)
    live_moved = False
    for iteration, weights in enumerate(start.run(), start=1):
        if not finite(weights):
            break
        w1 = weights["w1"]
        if w1[dead].any():
            return _revived(iteration, np.where(dead[:, None], w1, 0))
        live_moved = live_moved or bool((w1[1:] != start.w1[1:]).any())
    return Measurement(counted=live_moved)


def pure(start: StepStart) -> Measurement:
    """Compare the x and y that each step of a run was handed with what it left of them.

    Here every bit counts: a zero that changes its sign has been written to. (The run itself
    raises if the weights get other shapes or dtypes.)

    Witness: something moved.
    """
    run, here, counted = start.begin(), start, False
    for iteration in range(1, start.iterations + 1):
        result = run(here.x, here.y, here.w1, here.w2, here.lr)
        for name, kept, left in (("x", start.x, result.x), ("y", start.y, result.y)):
            if (written := _written(iteration, name, kept, left)) is not None:
                return Measurement.violated(written)
        weights = {"w1": result.w1, "w2": result.w2}
        counted = counted or has_moved(start.state, [weights])
        if not finite(weights):
            break
        here = here.at(weights)
    return Measurement(counted)


def _dead(start: StepStart) -> NDArray[np.bool_]:
    """Return which rows of w1 belong to inputs that are zero in every sample, shape (i + 1,)."""
    return np.concatenate([[False], ~start.x.any(axis=0)])


def _revived(iteration: int, rows: Floats) -> Measurement:
    """Describe the entry of w1 that is farthest from zero, where it should be zero."""
    zeros = np.zeros_like(rows)
    row, _ = entry = compare.largest_entry(compare.ulp_distances(rows, zeros))
    text = (
        f"after step {iteration} {{at}} is {{a:.9g}}, although input {row - 1} is zero in every "
        "sample and its row of w1 began at zero"
    )
    return Measurement.violated(Violation.between(rows, zeros, text, iteration, "w1", entry=entry))


def _written(iteration: int, name: str, kept: Floats, left: Floats) -> Violation | None:
    """Describe the entry of x or y that a step has changed most; None if it has changed nothing."""
    if kept.shape != left.shape or kept.dtype != left.dtype:
        return Violation(
            f"step {iteration} turns {name} into another shape or dtype", iteration, name
        )
    integer = f"u{kept.dtype.itemsize}"
    changed = np.ascontiguousarray(kept).view(integer) != left.view(integer)
    if not changed.any():
        return None
    # At least 1, for a zero that has changed its sign.
    distances = np.where(changed, np.maximum(compare.ulp_distances(kept, left), 1), 0)
    text = f"step {iteration} writes to {{array}}: {{at}} was {{a:.9g}} and is {{b:.9g}}"
    entry = compare.largest_entry(distances)
    return Violation.between(kept, left, text, iteration, name, entry=entry)
