"""Two invariants that look at the same run need to make it only once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from symmetry.invariants.problem import Problem
from symmetry.invariants.steps import Trainer

T = TypeVar("T")


def remembered(measure: Callable[[Trainer, Problem], T]) -> Callable[[Trainer, Problem], T]:
    """Keep the answer for the last trainer that asked, as long as the problem itself is kept.

    Problems are told apart by identity. An exception is not remembered.
    """
    answers: WeakKeyDictionary[Problem, tuple[Trainer, T]] = WeakKeyDictionary()

    @wraps(measure)
    def remembering(trainer: Trainer, problem: Problem) -> T:
        known = answers.get(problem)
        if known is None or known[0] is not trainer:
            known = answers[problem] = trainer, measure(trainer, problem)
        return known[1]

    return remembering
