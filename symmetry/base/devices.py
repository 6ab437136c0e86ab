"""Where scripts run that need a GPU, or ranks; no framework is imported.

A command chooses these for the scripts that are named while it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Generic, TypeVar

from symmetry.base.libraries import registered

AUTO, CPU, CUDA_ON_CPU = DEVICES = "auto", "cpu", "cuda-on-cpu"
Value = TypeVar("Value")


class Choice(Generic[Value]):
    """A value that scripts get when they are named."""

    def __init__(self, name: str, default: Value) -> None:
        self._value = ContextVar(name, default=default)

    def get(self) -> Value:
        """Return the value for scripts that are named now."""
        return self._value.get()

    @contextmanager
    def set(self, value: Value) -> Iterator[None]:
        """Choose a value for the scripts that are named while the block runs."""
        token = self._value.set(value)
        try:
            yield
        finally:
            self._value.reset(token)


DEVICE = Choice("device", AUTO)
RANKS = Choice("ranks", 1)
RESUMING: Choice[tuple[str, ...] | None] = Choice("resuming", None)  # the arguments


def _idle() -> tuple[str, ...]:
    """Return what does nothing on the CPU."""
    return ("streams", *(each for library in registered() for each in library.idle))


@dataclass(frozen=True)
class Substitution:
    """A training that runs on another device, or on fewer ranks, than it needs."""

    device: str = ""  # that it needs; empty if it has that
    mapped: tuple[str, ...] = ()  # what it uses of this device, and gets in another form
    alone: bool = False  # whether it is one rank that needs several
    ranks: int = 1  # on how many it runs as well
    branches: bool = False  # whether it has branches for CUDA that it does not take here

    @property
    def words(self) -> str:
        """How it runs, in a few words; empty if it runs as it is."""
        on_cpu = f"on the CPU in place of {self.device}" if self.device else ""
        several = f" and on {self.ranks} ranks" if self.ranks > 1 else ""
        as_one = f"as one rank{several}" if self.alone or several else ""
        how = ", ".join(filter(None, (on_cpu, as_one)))
        return f"run {how}" if how else ""

    @property
    def untested(self) -> tuple[str, ...]:
        """The parts that a check leaves out."""
        on_device = ("GPU kernels", *(each for each in _idle() if each in self.mapped))
        return (
            *on_device * bool(self.device),
            *("its branches for CUDA (--device cuda-on-cpu)",) * self.branches,
            *("several ranks (--ranks 2)",) * (self.alone and self.ranks == 1),
        )

    def lines(self) -> tuple[str, ...]:
        """Return what is mapped, and what is not tested, in lines; none if nothing is lacking."""
        mapped = [each for each in self.mapped if each not in _idle()]
        return (
            *(f"  mapped: {', '.join(mapped)}",) * bool(mapped),
            *(f"  not tested: {', '.join(self.untested)}",) * bool(self.untested),
        )

    def record(self) -> dict[str, Any]:
        """Return what JSON has."""
        return {
            "in_place_of": self.device or None,
            "one_rank": self.alone,
            "mapped": list(self.mapped),
            "not_tested": list(self.untested),
        }


def united(found: Iterable[Substitution | None]) -> Substitution | None:
    """Return how a training runs whose runs are in several processes."""
    several = [each for each in found if each]
    if not several:
        return None
    device = next(filter(None, (each.device for each in several)), "")
    mapped = dict.fromkeys(chain.from_iterable(each.mapped for each in several))
    alone = any(each.alone for each in several)
    branches = any(each.branches for each in several)
    return replace(several[0], device=device, mapped=tuple(mapped), alone=alone, branches=branches)
