"""The recorder of a run over whole epochs, for scripts and for functions."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from symmetry.base.patches import Patch, patched
from symmetry.base.randomness.random import Random
from symmetry.observe.source_line import SourceLine
from symmetry.torch.compiler import frames
from symmetry.torch.creation import Modules
from symmetry.torch.modes.rounding import rounding_by
from symmetry.torch.script.epochs.batches.loaders import Loaders
from symmetry.torch.script.epochs.following import Following
from symmetry.torch.script.epochs.forwards import Forwards
from symmetry.torch.script.epochs.gradients import GradientReads, gradient_property
from symmetry.torch.script.epochs.identities import Identities
from symmetry.torch.script.epochs.initialised import InitialisedWeights
from symmetry.torch.script.epochs.log import Log, digest_of
from symmetry.torch.script.epochs.measuring import Measuring
from symmetry.torch.script.epochs.misspelling import Misspelling
from symmetry.torch.script.epochs.noise import Seeding, SharedDraws
from symmetry.torch.script.epochs.observing import Observations
from symmetry.torch.script.epochs.ratios import Ratios
from symmetry.torch.script.epochs.recutting import Recutting
from symmetry.torch.script.epochs.restoring import Restoring
from symmetry.torch.script.epochs.rounding import RoundedUpdates
from symmetry.torch.script.epochs.schedules import Schedules
from symmetry.torch.script.epochs.scores import Scores
from symmetry.torch.script.epochs.slices import SliceReads
from symmetry.torch.script.epochs.unfrozen import UnfrozenParameters
from symmetry.torch.script.epochs.unused import UnusedResults
from symmetry.torch.watch.functions import results
from symmetry.torch.watch.steps import updates
from symmetry.training.events import NOT_COMPILED, Called, Epochs, LoopEvent, LoopWords, Updated
from symmetry.training.run import RunSettings


class StartingParameters:
    """Reads all parameters when the first model is called, and moves them on request.

    Parameters
    ----------
    roots
        Returns the modules that are in no other.
    seed, draw
        Name the random numbers by which parameters are moved; without a draw they stay.
    """

    def __init__(self, roots: Callable[[], Sequence[nn.Module]], seed: int, draw: int | None):
        self._roots, self._settings, self._draw = roots, RunSettings(seed=seed), draw
        # The name and the digest of each parameter, in the order in which modules were made.
        self.digests: tuple[tuple[str, str], ...] = ()

    def see(self) -> None:
        """Read the parameters, and move them: copies of a model as the model itself."""
        named = [*self._parameters()]
        self.digests = tuple((name, digest_of([p])) for name, p in named)
        if self._draw not in (None, NOT_COMPILED):
            for name, parameter in named:
                if parameter.requires_grad:
                    _move(parameter, self._settings.perturbation(self._draw, _number(name)))

    def _parameters(self) -> Iterator[tuple[str, Tensor]]:
        for root in self._roots():
            for name, parameter in root.named_parameters():
                if not is_lazy(parameter) and not parameter.is_meta:
                    yield name, parameter


def _number(name: str) -> int:
    return zlib.crc32(name.encode())


@torch.no_grad()
def _move(parameter: Tensor, random: Random) -> None:
    """Move a parameter by up to one ulp and eps of its largest entry; zeros stay."""
    plain = parameter.detach()
    if not plain.is_floating_point() or not plain.numel():
        return
    shift = torch.as_tensor(random.uniform(tuple(plain.shape), -1.0, 1.0), device=plain.device)
    shift *= torch.finfo(plain.dtype).eps * (plain.abs().double() + plain.abs().max().double())
    plain.data.copy_((plain.double() + shift).to(plain.dtype))


WORDS = LoopWords(
    framework="PyTorch",
    worker="torch.utils.data.get_worker_info()",
    worker_seed="torch.initial_seed()",
    draw="torch.rand",
    copies="torch.tensor() and clone() make it; torch.from_numpy() makes none",
    no_gradients="torch.no_grad()",
    save="torch.save",
    seeded=frozenset({"random", "numpy.random", "torch"}),
    evaluates="eval()",
    trains="Call train() before each epoch.",
    quietly="Call eval() before, and train() after the evaluation.",
)
_ROUNDS = 3  # returns from evaluation to training; then an iterator gives one batch


class EpochRecorder:
    """Sees the events of one run.

    Parameters
    ----------
    log
        Where events go.
    batches
        How many each iterator of a loader gives; None if no epoch is shortened.
    seed, draw
        See ``StartingParameters``.

    Attributes
    ----------
    loaders
        Those that the run has made.
    recutting
        Evaluations in forks, which end with the script.
    """

    def __init__(self, log: Log, batches: int | None, seed: int, draw: int | None) -> None:
        self._log, self._measuring, self._draw = log, Measuring(log), draw
        # Operations round in another way from the first call of a model on.
        self._other_rounding, self._frames_before = rounding_by(None, promoted=False), frames()
        self._unused = UnusedResults(lambda: log.updates)
        self._ratios = Ratios(lambda: log.updates)
        self.loaders = Loaders(log, batches)
        self.loaders.as_loaded = self._other_rounding.paused
        self._gradients = GradientReads(log, self._measuring, self._unused.reached)
        self.loaders.rounds_are_over = lambda: rounds(log.events) >= _ROUNDS
        self._modules, self._scores = Modules(), Scores()
        self._start = StartingParameters(self._modules.roots, seed, draw)
        self._forwards = Forwards(
            log,
            self.loaders.recent,
            self._measuring,
            self._scores,
            self._ratios,
            lambda: self._gradients.held,
            self._see_start,
            self._gradients.see_by_hand,
        )
        self._identities = Identities(log, lambda: self._forwards.called)
        self._initialised = InitialisedWeights(
            lambda: self._forwards.called, lambda: self._gradients.held
        )
        self._restoring = Restoring(
            log,
            lambda: self._gradients.parameters,
            lambda: self._start.digests,
            self._initialised.loaded,
        )
        self._misspelling, self._following = Misspelling(log), Following()
        self._seeding, self._schedules = Seeding(log), Schedules(log)
        self._noise = SharedDraws()
        self._rounding, self._unfrozen = RoundedUpdates(), UnfrozenParameters()
        self._observations = Observations(
            log, self._modules.roots, lambda: self._gradients.parameters
        )
        self._slices = SliceReads()
        self.recutting = Recutting(log, self._modules.roots, may=draw is None)

    @property
    def roots(self) -> list[nn.Module]:
        """The modules with parameters that are in no other."""
        return self._modules.roots()

    @property
    def optimizers(self) -> list[Any]:
        """The optimisers, in the order in which they were made."""
        return self._gradients.optimizers

    @property
    def is_trying(self) -> bool:
        """Whether an update is performed on copies."""
        return self._rounding.is_trying

    @property
    def schedulers(self) -> list[Any]:
        """The schedulers that stepped."""
        return self._schedules.schedulers

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See everything that is done meanwhile."""
        with ExitStack() as stack:
            stack.enter_context(self._seeding.watching())
            stack.enter_context(patched(self._patches()))
            stack.enter_context(results(self._see_function))
            stack.callback(self._gradients.terms.close)
            stack.enter_context(updates(self._begins, self._ends))
            if self._draw is not None:
                stack.enter_context(self._other_rounding)
            yield

    def record(self, name: str, ended: str) -> Epochs:
        """Return the record of the run; ``ended`` says why it ended, if it is not whole."""
        self._gradients.see_by_hand()
        log = self._log
        seconds, log.ended = log.seconds, log.ended or "the end"
        self._following.look(self._modules.roots(), self._gradients.held)
        shortened, unshortened = self.loaders.cut()
        evaluated = _evaluated(log.events, self._forwards.models())
        return Epochs(
            name=name,
            words=WORDS,
            events=tuple(log.events),
            loaders=self.loaders.records(),
            models=self._forwards.records(self._following.copies),
            optimizers=self._gradients.records(self._schedules),
            schedulers=self._schedules.records(),
            copies=self._following.records(evaluated),
            scores=self._scores.records,
            rows=self._scores.rows,
            ratios=tuple(self._ratios.records),
            unused=self._unused.records,
            rounded=self._rounding.records(self.roots),
            identities=self._identities.records(),
            initialised=self._initialised.records(),
            left=self._observations.records,
            slices=self._slices.records,
            metrics=tuple(self.recutting.records),
            unfrozen=(
                *self._unfrozen.records(
                    self.roots,
                    self._gradients.held,
                    self._gradients.looked_at,
                    is_whole=not ended,
                ),
            ),
            noise=self._noise.records,
            unheld=(*self._gradients.unheld.records([*self._modules], self._gradients.held),),
            ended=ended or "the script's end",
            is_whole=not ended,
            shortened=shortened,
            unshortened=unshortened,
            start=self._start.digests,
            without_seed=self._seeding.without,
            compiles=frames() != self._frames_before,
            is_limited=log.is_limited,
            seconds=seconds,
        )

    def _patches(self) -> Iterator[Patch]:
        yield from self._modules.patches()
        yield nn.Parameter, "grad", gradient_property(self._gradients)
        for part in (
            self.loaders,
            self._gradients,
            self._forwards,
            self._measuring,
            self._restoring,
            self._seeding,
            self._misspelling,
            self._following,
            self._schedules,
            self._unused,
            self._identities,
            self._initialised,
            self._observations,
            self.recutting,
        ):
            yield from part.patches()

    def _see_start(self) -> None:
        self._start.see()
        if self._draw != NOT_COMPILED:
            self._other_rounding.seed = self._draw

    def _see_function(self, *call: Any) -> None:
        """See a function of PyTorch with its result: one mode costs less than several."""
        for part in (self._scores, self._unused, self._ratios, self._slices, self._noise):
            part.see_function(*call)

    def _begins(self, optimizer: Any) -> None:
        if self._rounding.is_trying:
            return
        if self._log.ended:  # a script that catches everything goes on
            self._log.suspend()
            return
        self._misspelling.look()
        self._observations.begins()
        self._restoring.flush()
        roots, held = self._modules.roots(), self._gradients.held
        self._following.look(roots, held)
        self._unfrozen.look(roots, held)
        self._gradients.updates(optimizer)
        number = self._gradients.number_of(optimizer)
        self._rounding.begins(optimizer, number, self._log.backwards)

    def _ends(self, optimizer: Any) -> None:
        if not (self._log.ended or self._rounding.is_trying):
            number = self._gradients.number_of(optimizer)
            self._rounding.ended(optimizer, number, self._log.backwards)
            self._gradients.updated(optimizer)
            self._observations.ends()
            self._measuring.see_parameters(optimizer)


def rounds(events: list[LoopEvent]) -> int:
    """Return how often calls without gradients, or in evaluation mode, were followed by updates."""
    found, evaluating = 0, False
    for event in events:
        if isinstance(event, Called):
            evaluating = evaluating or not event.gradient
        elif isinstance(event, Updated):
            found += evaluating
            evaluating = False
    return found


def _evaluated(events: list[LoopEvent], models: list[nn.Module]) -> dict[int, SourceLine]:
    """Return the models that were called in evaluation mode, by id, and where."""
    found: dict[int, SourceLine] = {}
    for event in events:
        if isinstance(event, Called) and not event.training:
            found.setdefault(id(models[event.model]), event.at)
    return found
