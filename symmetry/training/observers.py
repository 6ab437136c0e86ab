"""Observers of a run: several of them see the same steps, which are taken once.

Example: an observer that counts updates, in steps that others may observe, too.

    @observer
    def updates(run, steps):
        events = needed(run, StepEvents)
        for _ in range(steps):
            yield                        a step is taken
        return events.updates

It changes nothing of the run. If the step raises, the error comes where it yields.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from operator import methodcaller
from typing import Any, TypeVar

from symmetry.base.errors import TrainingError
from symmetry.training.run import Run
from symmetry.training.target import Result

Observation = Generator[None, None, Result]
Observer = Callable[[Run, int], Observation[Result]]
AnyObserver = TypeVar("AnyObserver", bound=Observer[Any])
OBSERVERS: list[Observer[Any]] = []  # of a run as the training is written


def observer(function: AnyObserver) -> AnyObserver:
    """Let a function observe a run together with all others of its kind."""
    OBSERVERS.append(function)
    return function


def observed(run: Run, *observations: Observation[Any]) -> Sequence[Any]:
    """Take the steps of a run that any observation waits for; return what each returns.

    Raises
    ------
    TrainingError
        If a step raises, and an observation does not expect it.
    """
    results: list[Any] = [None] * len(observations)
    going = dict(enumerate(observations))

    def go(on: Callable[[Observation[Any]], None]) -> None:
        for number, observation in [*going.items()]:
            try:
                on(observation)
            except StopIteration as end:
                results[number] = end.value
                del going[number]

    go(next)
    while going:
        try:
            run.step()
        except TrainingError as error:
            go(methodcaller("throw", error))
        else:
            go(next)
    return results
