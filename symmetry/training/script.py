"""A training that is given as a script, in any framework."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, TypeVar

from symmetry.base.errors import Disturbed
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.sandbox.source import Source
from symmetry.training import run_facts
from symmetry.training.events import Epochs
from symmetry.training.run_facts import RunFacts
from symmetry.training.target import Training

Found = TypeVar("Found")


class ScriptTraining(Training):
    """A training that is given as a script, which runs unchanged.

    Parameters
    ----------
    source
        The script.
    """

    has_loop: ClassVar[bool] = True

    def __init__(self, source: Source) -> None:
        self.name, self.source = source.name, source
        self._found: dict[Hashable, Any] = {}  # by its runs; or the error that ended one of them

    @property
    @abstractmethod
    def seeds(self) -> HeldSeeds:
        """The numbers that it seeds generators with."""

    @property
    def facts(self) -> RunFacts:
        """The facts that its runs have shown so far."""
        epochs = [each for each in self._found.values() if isinstance(each, Epochs)]
        return run_facts.of_script(self.source, epochs, self.seeds)

    @property
    def resumes(self) -> bool:
        """Whether it is resumed as its user does, to be checked for what goes another way."""
        return self.source.resume_with is not None

    def _once(self, key: Hashable, run: Callable[[], Found]) -> Found:
        """Return what a function finds that runs the script, once for each key."""
        if key not in self._found:
            try:
                self._found[key] = run()
            except Disturbed as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, Disturbed):
            raise found
        result: Found = found
        return result
