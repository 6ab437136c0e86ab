"""What a person sees while the experiment runs: on a terminal a bar, else a line for each news.

The lines are the same bytes each time; how long things take is shown on terminals only.
This module is imported when a command does its work, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symmetry.cli.screen import current, on_terminal, say
from symmetry.experiment import Listener, Point

if TYPE_CHECKING:
    from symmetry.comparison.record import TrainerPoint


class ShownRun(Listener):
    """Shows on a terminal a bar for each run, and a line at its end; else lines alone."""

    def __init__(self) -> None:
        self._bars, self._run = on_terminal(), ""

    def stage(self, name: str) -> None:
        current().done()
        current().doing(name, 0, None)
        if not self._bars:
            say(name)

    def iteration(self, run: str, point: Point, iterations: int) -> None:
        if run != self._run:
            self._run = run
            current().done()
            if not self._bars:
                say(run)
        current().doing(run, point.iteration, iterations, numbers(point))
        if not self._bars:
            say(f"  iteration {point.iteration:{len(str(iterations))}}  {numbers(point)}")
        elif point.iteration == iterations:
            say(f"{run:<22}  {iterations:,} of {iterations:,}  {numbers(point)}")


def numbers(point: Point | TrainerPoint) -> str:
    """Say what a run has come to."""
    return f"loss {point.loss:.6f}  accuracy {point.accuracy:5.2f} %"
