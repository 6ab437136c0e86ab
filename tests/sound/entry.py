"""One entry of the sound half of the zoo, and the decorator that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Sound:
    """A step that no invariant may accuse.

    Attributes
    ----------
    name
        The step's name in its module.
    trainer
        A function, or a class that is instantiated once a run.
    about
        What makes it worth a test, in one sentence.
    applies
        ``"formulas"``: it is the network of the formulas, all invariants apply.
        ``"symmetry"``: it trains something else, and only `symmetry/*` apply.
    vacuous
        Those of the invariants that apply, but have nothing to look at: whatever the case, their
        witness never appears.
    violates
        Those that it rightly violates, because it treats samples or classes differently by design;
        ``about`` says so.
    """

    name: str
    trainer: Callable
    about: str
    applies: Literal["formulas", "symmetry"]
    vacuous: tuple[str, ...]
    violates: tuple[str, ...]

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return which invariants apply."""
        return ("symmetry/*", "network/*") if self.applies == "formulas" else ("symmetry/*",)

    def expected(self, invariant: str, dtype: str) -> str:
        """Return the verdict that the checker should come to."""
        if dtype not in getattr(self.trainer, "dtypes", (dtype,)):
            return "not applicable"
        if invariant in self.violates:
            return "violated"
        return "vacuous" if invariant in self.vacuous else "holds"


ENTRIES: list[Sound] = []


def sound(
    about: str,
    *,
    applies: Literal["formulas", "symmetry"] = "symmetry",
    vacuous: tuple[str, ...] = (),
    violates: tuple[str, ...] = (),
) -> Callable:
    """Enter the decorated trainer into the zoo and leave it as it is."""

    def enter(trainer: Callable) -> Callable:
        ENTRIES.append(Sound(trainer.__name__, trainer, about, applies, vacuous, violates))
        return trainer

    return enter
