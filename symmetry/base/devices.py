"""Where scripts run that need a GPU, or ranks; no framework is imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

AUTO, CPU, CUDA_ON_CPU = "auto", "cpu", "cuda-on-cpu"
CHOICES = AUTO, CPU, CUDA_ON_CPU

_NOT_RUN = "streams", "torch.compile"  # they do nothing on the CPU
_chosen = ContextVar("device", default=AUTO)


def chosen() -> str:
    """Return the choice for scripts that are named now."""
    return _chosen.get()


@contextmanager
def choosing(device: str) -> Iterator[None]:
    """Choose a device for the scripts that are named while the block runs."""
    token = _chosen.set(device)
    try:
        yield
    finally:
        _chosen.reset(token)


@dataclass(frozen=True)
class Substitution:
    """A training that runs on another device, or on fewer ranks, than it needs.

    Attributes
    ----------
    device
        The device that it needs; empty if it has that.
    mapped
        What it uses of this device, and gets in another form.
    alone
        Whether it is one rank that needs several.
    """

    device: str = ""
    mapped: tuple[str, ...] = ()
    alone: bool = False

    @property
    def words(self) -> str:
        """How it runs, in a few words."""
        if not self.device:
            return "run as one rank"
        return f"run on the CPU in place of {self.device}{', as one rank' * self.alone}"

    @property
    def untested(self) -> tuple[str, ...]:
        """The parts that a check leaves out."""
        on_device = ("GPU kernels", *(each for each in _NOT_RUN if each in self.mapped))
        return (*on_device * bool(self.device), *("several ranks",) * self.alone)

    def lines(self) -> tuple[str, ...]:
        """Return what is mapped, and what is not tested, in lines; none if nothing is lacking."""
        mapped = [each for each in self.mapped if each not in _NOT_RUN]
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
