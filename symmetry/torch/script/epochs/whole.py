"""One run of a script over whole, shortened epochs: it ends when enough is seen.

Example: a script with a loader of 100 batches, and one of 20 that it evaluates with.

    for epoch in range(9):        the run begins at the script's first line, in its mirror
        model.train()             Switched
        for x, y in loader:       Batch 1, Batch 2, Exhausted: the loader ends here, not after 100
            loss = ...model(x)    Called, with the mode, active dropouts, and the event of its batch
            optimizer.zero_grad() Cleared
            loss.backward()       Backward
            optimizer.step()      Updated, with the backwards that its gradients hold
        model.eval()              Switched
        for x, y in test_loader:  Batch 1, Batch 2, Exhausted
            model(x)              Called: it belongs to a loader that leads to no backward
                                  after three such rounds each loader gives one batch
    print("done")                 the script's end, or 40 updates, or half a minute

The invariants of the loop read these events; ``symmetry watch`` prints them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from symmetry.base.calls import calling, running
from symmetry.base.errors import Disturbed, Failure, TrainingError
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.torch.script.contained import contained
from symmetry.torch.script.epochs.batches.loaders import BATCHES
from symmetry.torch.script.epochs.log import Log
from symmetry.torch.script.epochs.recorder import EpochRecorder
from symmetry.torch.script.host import Host
from symmetry.training.events import Epochs, Updated

# The limit in CPU seconds, and in multiples of the setup: the larger one counts.
_SECONDS, _SETUPS = 30.0, 4.0


def run_epochs(host: Host, seed: int = 0, draw: int | None = None) -> Epochs:
    """Run a script over whole epochs; return what it did.

    If it raises because its loaders ended early, it runs once more with loaders as they are. With a
    ``draw`` it begins from parameters close by.

    Raises
    ------
    TrainingError
        If it raises before its first update.
    Disturbed
        If it does not do what it does in a plain run.
    """
    shortened = WholeRun(host, BATCHES, seed, draw)
    found = shortened.go()
    if why := host.disturbance(shortened.updates):
        raise Disturbed(why)
    if shortened.error is None:
        return found
    if shortened.cuts:
        again = WholeRun(host, None, seed, draw)
        as_written = again.go()
        if again.error is None:
            return replace(as_written, refused=str(shortened.error), failure=shortened.failure)
    if not found.of(Updated):
        raise shortened.error
    return found


class WholeRun:
    """A script that runs to its end, or until there is nothing more to learn.

    Parameters
    ----------
    host
        The script, and where it runs.
    batches
        How many each iterator of a loader gives; None if no epoch is shortened.
    seed, draw
        The seed of all random numbers; see ``run_epochs``.

    Attributes
    ----------
    error
        What the script raised; None if nothing.
    updates
        Its first updates, as far as its loaders give what they do in a plain run; None if they are
        not compared.
    """

    def __init__(
        self,
        host: Host,
        batches: int | None,
        seed: int,
        draw: int | None,
    ) -> None:
        self._name, self._seed = host.source.name, seed
        self.updates = host.new_log(seed) if draw is None else None
        if self.updates is not None:
            self.updates.ended = lambda: self._recorder.loaders.differ
            self.updates.paused = lambda: self._recorder.is_trying
        self._sandbox = contained(host, self._watching, self.updates)
        self.error: TrainingError | None = None
        self._log = self._new_log(self._sandbox.stack.suspend)
        self._recorder = EpochRecorder(self._log, batches, seed, draw)

    def _new_log(self, suspend: Callable[[], None]) -> Log:
        """Return the log of the events, which ends the run."""
        return Log(suspend, max(_SECONDS, _SETUPS * running.setup))

    @property
    def cuts(self) -> int:
        """How often the epoch of a loader was shortened."""
        return self._recorder.loaders.cuts

    @property
    def failure(self) -> Failure | None:
        """How the script fails, unless it only reads on behind an end that may never come.

        Example: ``batches = iter(loader)``, and ``next(batches)`` for each update, of an
        ``IterableDataset`` that goes round its files for ever.
        """
        failure = None if self.error is None else self.error.failure
        reads_on = failure is not None and StopIteration.__name__ in failure.text
        return None if reads_on and self._recorder.loaders.may_be_endless else failure

    def go(self) -> Epochs:
        """Run the script from its start."""
        try:
            with generators.kept(generators.shared()), giving_seeds(), silenced():
                generators.seed_all(self._seed)
                with calling("epochs", self._name):
                    self._resume()
            with generators.kept(generators.shared()):
                if self.error is None:
                    return self._recorder.record(self._name, self._log.ended)
                found = self._recorder.record(self._name, f"an error: {self.error}")
                return replace(found, error=str(self.error), failure=self.error.failure)
        finally:
            self._sandbox.close(throwing=lambda: None, free=lambda: None)
            gc.collect()

    def _resume(self) -> None:
        try:
            self._sandbox.resume()
        except TrainingError as error:
            self.error = error
        finally:
            self._recorder.recutting.close()  # a fork of it ends here at the latest

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """See everything that is done meanwhile."""
        with self._recorder.watching():
            yield
