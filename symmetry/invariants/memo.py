"""Two invariants that look at the same run need to make it only once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Target = TypeVar("Target")
S = TypeVar("S")
T = TypeVar("T")


def remembered(measure: Callable[[Target, S], T]) -> Callable[[Target, S], T]:
    """Keep the answer for the last target that asked, as long as the setting itself is kept.

    Settings are compared by identity. An exception is not remembered.
    """
    answers: WeakKeyDictionary[Any, tuple[Target, T]] = WeakKeyDictionary()

    @wraps(measure)
    def remembering(target: Target, setting: S) -> T:
        known = answers.get(setting)
        if known is None or known[0] is not target:
            known = answers[setting] = target, measure(target, setting)
        return known[1]

    return remembering
