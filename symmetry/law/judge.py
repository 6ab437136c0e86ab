"""The judge: deviations divided by the response, and a second look before a violation is reported.

A deviation that rounding explains is a small multiple of the response, which is how far rounding
moves the result. A larger one is measured again, with a more accurate response and at
other places, before it counts.

Example: the limit is 10 responses. Rounding moves an array by 2 at the first look, which takes few
runs, and by 5 at the second one, which takes more.

>>> few = lambda deviation: [{"w": ratio(deviation, 2.0)}]
>>> more = lambda deviation: [{"w": ratio(deviation, 5.0)}]
>>> judge(18.0, [few, more], limit=10.0)  # 9 responses: there is no second look
[{'w': 9.0}]
>>> judge(40.0, [few, more], limit=10.0)  # 20 responses; the second look explains it
[{'w': 8.0}]
>>> judge(90.0, [few, more], limit=10.0, again=[60.0, 70.0])  # as large at two other places
[{'w': 12.0}]
>>> judge(90.0, [few, more], limit=10.0, again=[30.0])  # small at another place: by chance
[{'w': 6.0}]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

LARGEST_RESPONSE = 0.01  # by the largest entry: an array that rounding moves by more is not judged

Key = TypeVar("Key", bound=Hashable)
Sides = TypeVar("Sides")

# By step, of what can be judged.
Ratios = list[dict[Key, float]]


def ratio(deviation: float, response: float) -> float:
    """Return how many times the response a deviation is."""
    if deviation == 0:
        return 0.0
    return deviation / response if response else math.inf


def judge(
    sides: Sides,
    measures: Iterable[Callable[[Sides], Ratios[Key]]],
    limit: float,
    again: Iterable[Sides] = (),
    far: float = math.inf,
) -> Ratios[Key]:
    """Return deviation by response of two sides; escalate if it exceeds the limit.

    Parameters
    ----------
    sides
        Both sides, or how far they deviate.
    measures
        At least one. Each returns the ratios of sides, with a more accurate response than the one
        before. The next one is only asked for where a ratio exceeds the limit.
    limit
        The largest ratio that rounding explains.
    again
        The sides of other runs: what exceeds the limit has to exceed it in all of them.
    far
        Times the limit: beyond it a third response changes nothing.
    """
    ratios: Ratios[Key] = []
    for number, measure in enumerate(measures):
        ratios = measure(sides)
        largest = max((value for step in ratios for value in step.values()), default=0.0)
        if largest <= limit:
            return ratios
        if number and far * limit < largest < math.inf:
            break
    for others in again:
        ratios = [
            {key: min(value, there[key]) for key, value in here.items() if key in there}
            for here, there in zip(ratios, measure(others), strict=False)
        ]
    return ratios


def worst(ratios: Sequence[Mapping[str, float]], limit: float) -> tuple[int, str]:
    """Return step, from 0, and array of the largest ratio: of those above it, in the first step.

    A reader recognises the name of a parameter rather than the name of an optimiser's array.
    """
    by_key = {
        (step, name): value for step, each in enumerate(ratios) for name, value in each.items()
    }
    over = [key for key, value in by_key.items() if value > limit]
    first = [key for key in over if key[0] == min(over)[0]]
    return max(first or by_key, key=lambda k: (k in over and k[1].startswith("model."), by_key[k]))
