"""A training that is given as a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Self

from symmetry.base.devices import Substitution
from symmetry.base.failure import PlainRun
from symmetry.torch.script.script import Script
from symmetry.training import frameworks
from symmetry.training.events import Epochs
from symmetry.training.rank_runs import RankRuns
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.target import Training


@dataclass(frozen=True)
class ScriptTraining(Training):
    """A training that is given as a script, which runs unchanged up to each of its steps."""

    name: str
    script: Script  # runs it
    # How many units some groups must have, by the beginnings of their names.
    pins: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    sequential: ClassVar[bool] = True

    @property
    def framework(self) -> str:
        """The name of the framework that scripts are written in."""
        return "torch"

    @property
    def expect_units(self) -> Mapping[str, int]:
        """How many units some groups must have, by the beginnings of their names."""
        return self.pins

    @property
    def ranks(self) -> int:
        """How many ranks it runs on, to be checked for what differs between them."""
        return self.script.source.ranks

    def on_ranks(self) -> RankRuns | None:
        """Run the script on its ranks, once."""
        return self.script.rank_runs(lambda script: ScriptTraining(self.name, script))

    @property
    def substitution(self) -> Substitution | None:
        """How it runs, where the machine lacks something."""
        return self.script.substitution

    def expecting(self, pins: Mapping[str, int]) -> Self:
        """Return the same training with required numbers of units for some modules."""
        return replace(self, pins={**self.pins, **pins})

    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Run the script up to its first step.

        It has made its first batch by then, in the ``order``. The initial parameters of its models
        may differ: other parts of a script draw random numbers, too.
        """
        self.script.prepare()
        make = partial(self.script, settings.order)
        return frameworks.registered()["torch"].begin(self.name, make, settings, None)

    def epochs(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Run the script over whole epochs, once."""
        return self.script.epochs(seed, draw)

    def plain_run(self) -> PlainRun:
        """Run the script in a process of its own, once."""
        return self.script.plain_run

    def close(self) -> None:
        """End all its runs: nothing that they have written is left."""
        self.script.close()
