"""Arrays of optimisers that are kept in a basis of their own: no unit lies in them.

SOAP is Adam in the eigenbasis of the gradients, and Shampoo keeps square matrices over the units of
an axis. Their arrays may have the shape of a parameter, whose units they do not follow:

    units exchanged     the parameter     rows are exchanged
                        Adam's moment     rows are exchanged
                        SOAP's moment     the same numbers as before, but for their signs and order

So after a suspicion units are exchanged once more. If the whole model follows, an array outside of
it that keeps its numbers, and does not follow, is left out: a moment that belongs to the wrong unit
would move the model in the next step.
"""

from collections.abc import Callable

import numpy as np

from symmetry.law.equivariance import deviations_by_response, exchanged
from symmetry.law.measurement import Measurement
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array


def but_for_own_bases(
    measure: Callable[[TrainingStart], Measurement],
) -> Callable[[TrainingStart], Measurement]:
    """Return what measures again without such arrays if one of them may violate an invariant."""

    def measured(start: TrainingStart) -> Measurement:
        found = measure(start)
        array, violation = found.array or "", found.violation
        if violation is None or violation.rounding or array.startswith("model."):
            return found
        apart = _own_bases(start)
        return measure(start.without(apart)) if array in apart else found

    return measured


def _own_bases(start: TrainingStart) -> frozenset[str]:
    """Return the arrays of optimisers that keep their numbers where units are exchanged."""
    sides = exchanged(start, start.orders(start.groups, 0))
    responses, apart = start.responses(closely=True), set[str]()
    for step, each in enumerate(deviations_by_response(sides, responses)):
        beyond = {name for name, value in each.items() if value > start.limit}
        if any(name.startswith("model.") for name in beyond):
            return frozenset()
        found, plain = sides[0][step], start.result[step]
        for name in beyond:
            allowed = start.limit * responses[step][name]
            if name not in found or _apart(found[name], plain[name]) > allowed:
                return frozenset()
        apart |= beyond
    return frozenset(apart)


def _apart(one: Array, other: Array) -> float:
    """Return the largest difference of the sorted sizes of two arrays' numbers."""
    a, b = (np.sort(abs(array), axis=None) for array in (one, other))
    return float(abs(a - b).max(initial=0.0)) if a.shape == b.shape else np.inf
