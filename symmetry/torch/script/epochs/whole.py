"""One run of a script over whole, shortened epochs: it ends when enough is seen."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from symmetry.base import generators
from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.raised import silenced
from symmetry.observe.place import Place
from symmetry.torch.script.epochs.batches.loaders import BATCHES, Loaders
from symmetry.torch.script.epochs.batches.seeding import Seeding
from symmetry.torch.script.epochs.following import Following
from symmetry.torch.script.epochs.forwards import Forwards
from symmetry.torch.script.epochs.gradients import Gradients, gradient_property
from symmetry.torch.script.epochs.log import Log, Patch
from symmetry.torch.script.epochs.measuring import Measuring
from symmetry.torch.script.epochs.misspelling import Misspelling
from symmetry.torch.script.epochs.restoring import Restoring
from symmetry.torch.script.epochs.start import Start
from symmetry.torch.script.mirror_pool import MirrorPool
from symmetry.torch.script.sandbox import Sandbox
from symmetry.torch.script.source import Source
from symmetry.torch.script.step_boundary import of_ranks, refuse_processes
from symmetry.training.events import Called, Epochs, Event, Updated

_SECONDS, _SETUPS = 30.0, 4.0  # CPU seconds that it may take; or so many setups, if that is more
_ROUNDS = 3  # returns from evaluation to training; then an iterator gives one batch


def run_epochs(
    source: Source, mirrors: MirrorPool, seed: int = 0, draw: int | None = None
) -> Epochs:
    """Run a script over whole epochs; return what it did.

    If it raises because its loaders ended early, it runs once more with loaders as they are. With a
    ``draw`` it begins from parameters close by.

    Raises
    ------
    TrainingError
        If it raises before its first update.
    """
    shortened = _WholeRun(source, mirrors, BATCHES, seed, draw)
    found = shortened.go()
    if shortened.error is None:
        return found
    if shortened.cuts:
        again = _WholeRun(source, mirrors, None, seed, draw)
        as_written = again.go()
        if again.error is None:
            return replace(as_written, refused=str(shortened.error))
    if not found.of(Updated):
        raise shortened.error
    return found


class _WholeRun:
    """A script that runs to its end, or until there is nothing more to learn.

    Parameters
    ----------
    source, mirrors
        See ``Sandbox``.
    batches
        How many each iterator of a loader gives; None if no epoch is shortened.
    seed, draw
        The seed of all random numbers; see ``run_epochs``.

    Attributes
    ----------
    error
        What the script raised.
    """

    def __init__(
        self,
        source: Source,
        mirrors: MirrorPool,
        batches: int | None,
        seed: int,
        draw: int | None,
    ) -> None:
        self._name, self._seed = source.name, seed
        self._sandbox = Sandbox(source, mirrors, self._watching)
        self.error: TrainingError | None = None
        log = Log(self._sandbox.coroutine.suspend, max(_SECONDS, _SETUPS * running.setup))
        self._log = log
        self._measuring = Measuring(log)
        self._loaders, self._gradients = Loaders(log, batches), Gradients(log, self._measuring)
        self._loaders.rounds_are_over = lambda: rounds(log.events) >= _ROUNDS
        self._start = Start(self._roots, seed, draw)
        self._forwards = Forwards(
            log, self._loaders, self._measuring, lambda: self._gradients.held, self._start.see
        )
        self._restoring = Restoring(log, lambda: self._gradients.parameters)
        self._misspelling, self._following = Misspelling(log), Following()
        self._seeding = Seeding(log)
        self._modules: list[weakref.ref[Any]] = []

    @property
    def cuts(self) -> int:
        """How many iterators of loaders were ended early."""
        return self._loaders.cuts

    def go(self) -> Epochs:
        """Run the script from its start."""
        try:
            with generators.kept(generators.shared()), silenced():
                generators.seed_all(self._seed)
                with calling("epochs", self._name):
                    self._resume()
            with generators.kept(generators.shared()):
                return self._record()
        finally:
            self._sandbox.close(throwing=lambda: None, free=lambda: None)
            gc.collect()

    def _resume(self) -> None:
        try:
            self._sandbox.resume()
        except TrainingError as error:
            self.error = error

    def _record(self) -> Epochs:
        log = self._log
        seconds, ended = log.seconds, log.ended
        log.ended = log.ended or "the script's end"
        if self.error is not None:
            ended = f"an error: {self.error}"
        self._following.look(self._roots(), self._gradients.held)
        shortened, unshortened = self._loaders.cut()
        evaluated = _evaluated(log.events, self._forwards.models())
        return Epochs(
            name=self._name,
            events=tuple(log.events),
            loaders=self._loaders.records(),
            models=self._forwards.records(),
            optimizers=self._gradients.records(),
            copies=self._following.records(evaluated),
            ended=ended or "the script's end",
            is_whole=not ended,
            shortened=shortened,
            unshortened=unshortened,
            start=self._start.digests,
            is_limited=log.is_limited,
            seconds=seconds,
        )

    def _patches(self) -> Iterator[Patch]:
        yield nn.Module, "__init__", self._noting(nn.Module.__init__)
        yield nn.Module, "__setstate__", self._noting(nn.Module.__setstate__)
        yield nn.Parameter, "grad", gradient_property(self._gradients)
        yield torch.multiprocessing, "spawn", refuse_processes
        yield from of_ranks()
        for part in (
            self._loaders,
            self._gradients,
            self._forwards,
            self._measuring,
            self._restoring,
            self._seeding,
            self._misspelling,
            self._following,
        ):
            yield from part.patches()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """See everything that is done meanwhile."""
        with ExitStack() as stack:
            for owner, name, value in self._patches():
                stack.enter_context(patch.object(owner, name, value, create=True))
            stack.callback(register_optimizer_step_pre_hook(self._begins).remove)
            stack.callback(register_optimizer_step_post_hook(self._ends).remove)
            yield

    def _begins(self, *_: Any) -> None:
        if self._log.ended:  # a script that catches everything goes on
            self._log.suspend()
            return
        self._misspelling.look()
        self._restoring.flush()
        self._following.look(self._roots(), self._gradients.held)
        self._gradients.updates()

    def _ends(self, optimizer: Any, *_: Any) -> None:
        if not self._log.ended:
            self._gradients.updated(optimizer)
            self._measuring.see_parameters(optimizer)

    def _noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def noted(made: Any, *args: Any, **kwargs: Any) -> None:
            method(made, *args, **kwargs)
            self._modules.append(weakref.ref(made))

        return noted

    def _roots(self) -> list[nn.Module]:
        """Return the modules with parameters that are in no other."""
        made = {id(m): m for ref in self._modules if (m := ref()) is not None}
        inner = {id(c) for module in made.values() for c in module.children()}
        roots = [module for number, module in made.items() if number not in inner]
        return [module for module in roots if next(module.parameters(), None) is not None]


def rounds(events: list[Event]) -> int:
    """Return how often calls without gradients, or in evaluation mode, were followed by updates."""
    found, evaluating = 0, False
    for event in events:
        if isinstance(event, Called):
            evaluating = evaluating or not event.gradient
        elif isinstance(event, Updated):
            found += evaluating
            evaluating = False
    return found


def _evaluated(events: list[Event], models: list[nn.Module]) -> dict[int, Place]:
    """Return the models that were called in evaluation mode, by id, and where."""
    found: dict[int, Place] = {}
    for event in events:
        if isinstance(event, Called) and not event.training:
            found.setdefault(id(models[event.model]), event.at)
    return found
