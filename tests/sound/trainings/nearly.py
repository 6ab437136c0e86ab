"""Sound trainings that nearly look broken: each provokes one invariant, and is not accused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symmetry.training.script import ScriptTraining
from symmetry.training.target import FunctionTraining


@dataclass(frozen=True)
class Nearly:
    """A sound training that nearly looks broken.

    Attributes
    ----------
    target
        The training; its name says what it does.
    invariant
        The one that it provokes.
    kind
        The verdict in float64, or as written if that is all that the invariant judges.
    note
        The name of a note that it may get; empty if it gets none.
    """

    target: FunctionTraining | ScriptTraining
    invariant: str
    kind: str
    note: str = ""


ENTRIES: list[Nearly] = []


def nearly(invariant: str, kind: str = "holds", *, note: str = "") -> Callable[..., Any]:
    """Enter the decorated training into the zoo and leave it as it is."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        target = FunctionTraining(make.__name__, make)
        ENTRIES.append(Nearly(target, invariant, kind, note))
        return make

    return enter
