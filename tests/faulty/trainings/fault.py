"""One entry of the broken trainings, and the decorator that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symmetry.training.target import FunctionTraining


@dataclass(frozen=True)
class Fault:
    """A broken training.

    Attributes
    ----------
    target
        The training; its name says what is wrong.
    caught_by
        The invariants that must catch it.
    wrong
        What is wrong, in one sentence.
    source
        Where a bug of this kind was published; empty for our own.
    """

    target: FunctionTraining
    caught_by: tuple[str, ...]
    wrong: str
    source: str = ""

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def needed(self) -> tuple[str, ...]:
        """What to check for it: the runs must repeat, or nothing else is judged."""
        return tuple(dict.fromkeys(("symmetry/repeatable", *self.caught_by)))


ENTRIES: list[Fault] = []


def fault(*caught_by: str, wrong: str, source: str = "") -> Callable[..., Any]:
    """Enter the decorated training into the zoo and leave it as it is."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        target = FunctionTraining(make.__name__, make)
        ENTRIES.append(Fault(target, caught_by, wrong, source))
        return make

    return enter
