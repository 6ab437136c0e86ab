"""Runs of a script that are forks of one start, which has reached its first step.

    with_run(trained, ...)      The script is started, and kept where its first step begins. In a
                                fork of this process ``trained`` is called with a run from there;
                                what it returns comes back, and the run is gone.
    with_run(losses, ...)       Another fork of the same start: nothing is prepared again.

Up to its first step a run only depends on its seed and on the order of its samples. Whatever fails
in a fork is done again in this process, on a start of its own. So a fork can only save time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from symmetry.base import fork, ranks
from symmetry.base.calls import running
from symmetry.base.fork import ForkError, forked, has_pool, held, looks_on
from symmetry.base.randomness.unseeded import SEEDS
from symmetry.sandbox.folder_mirror import FolderMirror, Written
from symmetry.sandbox.routes import threads
from symmetry.training.capabilities.platform import Platform
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.target import Result

LEAST = 0.03  # CPU seconds of a start: no fork takes less
# A start is worth a fork if it takes this many times as long as a fork that does nothing: the steps
# in a fork copy pages of memory, which takes about as long as the fork itself.
TIMES = 3
_SPOILT = 3  # kept starts that forks have changed files of, until none is kept any more


@dataclass(frozen=True)
class Kept:
    """A start of a script that is kept where its first step begins."""

    run: Any  # a ``TorchRun``, which never takes a step here
    settings: RunSettings  # its seed, and few samples of each batch or all
    mirror: FolderMirror
    written: Written  # by then


class Forks:
    """Calls functions with runs of a script, which are forks where that is possible and pays.

    Parameters
    ----------
    may
        Whether this process may be forked: not if it is the user's own.

    Attributes
    ----------
    inside
        Whether this process is a fork of a run: no other run begins in it.
    possible
        Whether this process may be forked, as far as is known.
    """

    def __init__(self, *, may: bool) -> None:
        self.inside = False
        self._kept: Kept | None = None
        self._spoilt = 0
        # Ranks talk to each other by threads and connections.
        self.possible = may and fork.POSSIBLE and ranks.world() == 1
        self._cost: float | None = None  # CPU seconds of a fork that does nothing

    def with_run(
        self,
        function: Callable[[Run], Result],
        settings: RunSettings,
        begin: Callable[[RunSettings], Any],
        seconds: float | None,
    ) -> Result:
        """Return what a function returns, called with a fresh run.

        Parameters
        ----------
        function, settings
            As ``Training.with_run`` has them.
        begin
            Begins a run in this process.
        seconds
            The CPU seconds that this takes; None if that is not known.
        """
        if not (self.possible and _shares(settings) and self._pays(seconds)):
            return function(begin(settings))
        start = replace(AS_WRITTEN, seed=settings.seed, order=settings.order)
        if self._kept is None or self._kept.settings != start:
            run = self._keep(begin, start)
            if run is not None:
                return function(run.under(settings))
        try:
            return self._forked(function, settings)
        except ForkError:
            result = function(begin(settings))
            self.possible = False  # as that has raised nothing
            self.close()
            return result

    def close(self) -> None:
        """Keep no start any more."""
        self._kept = None

    def _pays(self, seconds: float | None) -> bool:
        """Return whether a start takes longer than a fork, as both were measured."""
        if seconds is None or seconds < LEAST:
            return False
        if self._cost is None:
            self._cost = _cost_of_a_fork()
        return seconds > TIMES * self._cost

    def _keep(self, begin: Callable[[RunSettings], Any], settings: RunSettings) -> Any:
        """Start the script and keep it; return its run if that cannot be forked, else None."""
        self.close()
        before = held()
        run = begin(settings)
        if not can_fork(before):
            self.possible = False
            return run
        mirror = run.objects.step.mirror
        self._kept = Kept(run, settings, mirror, mirror.written())
        return None

    def _forked(self, function: Callable[[Run], Result], settings: RunSettings) -> Result:
        """Call a function in a fork of the kept start, and undo what it does to files."""
        kept = self._kept
        assert kept is not None

        def called() -> Result:
            self.inside = True
            run = kept.run.under(settings)
            result = function(run)
            if (platform := run.capability(Platform)) is not None and platform.compiles:
                raise ForkError("functions that are compiled there would be lost")
            return result

        running.run, running.step = running.run + 1, 0
        try:
            result, _ = forked(called)
        finally:
            if not kept.mirror.put_back(kept.written):
                self.close()
                self._spoilt += 1
                self.possible = self._spoilt < _SPOILT
        return result


def can_fork(before: frozenset[str]) -> bool:
    """Return whether this process can be forked, given what it has ``held`` before a run began."""
    lacking = [thread for thread in threads() if not looks_on(thread)]
    return not (lacking or has_pool() or held() - before)


def _cost_of_a_fork() -> float:
    """Return the CPU seconds of a fork that does nothing."""
    began = time.process_time()
    try:
        _, used = forked(lambda: None)
    except ForkError:
        return math.inf
    return time.process_time() - began + used


def _shares(settings: RunSettings) -> bool:
    """Return whether a run is the same up to its first step as other runs of its samples."""
    return settings.order is settings.few_samples and not SEEDS.other
