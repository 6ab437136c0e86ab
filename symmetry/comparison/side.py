"""One side of a comparison: the runs of a training from one start, and their response."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from symmetry.base.ranks import world
from symmetry.training.capabilities.drawing import Drawing
from symmetry.training.capabilities.observing import Observing
from symmetry.training.capabilities.platform import Platform, Replicated
from symmetry.training.observation import USED, Observation, ObservedName, bare, together
from symmetry.training.origin import OTHER_START_ULPS, nearby
from symmetry.training.response import DRAWS
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Training
from symmetry.units.state import Array, State, difference, size

# Results of random operations of modules: their own draws, those of other trainings, or means.
Draws = Literal["own", "same", "means"]
Responses = list[dict[ObservedName, float]]  # a number for each thing that is shown, by step


class SideRequest(NamedTuple):
    """The options of a side."""

    dtype: str
    seed: int
    steps: int
    # Whether random numbers begin anew before the first step, however many were drawn by then. A
    # script has drawn its data by then, so neither side of its comparison is reseeded.
    reseeded: bool
    draws: Draws = "own"
    watched: bool = False  # whether more is seen of it than its state

    @property
    def settings(self) -> RunSettings:
        """Those of its runs."""
        return RunSettings(dtype=self.dtype, seed=self.seed, noise=self.draws != "means")


class Side(ABC):
    """One side of a comparison, whether it is run here or was recorded."""

    name: str  # of the training, or of the file
    dtype: str  # "float32": as written; "float64": promoted
    draws: Draws  # the results of random operations of modules
    start: State  # by the names that are compared
    held: frozenset[str]  # the names of the state after the steps
    gather: Callable[[Any], list[Any]] | None = None  # from all ranks, if there are several

    @property
    @abstractmethod
    def kept(self) -> list[Observation]:
        """The observations of each of its steps."""

    @property
    @abstractmethod
    def scale(self) -> Responses:
        """The largest entry of each array, by step."""

    @abstractmethod
    def response(self, draws: int) -> Responses:
        """Return by step how far rounding moves each array."""

    def once(self) -> Iterable[Observation]:
        """Yield the observations of each step, which are not stored."""
        return self.kept


@dataclass(eq=False)
class LiveSide(Side):
    """A side that is run here."""

    training: Training
    asked: SideRequest
    renamed: Callable[[str], str]  # from its own names to the reference's
    tell: Callable[[str, str], None]  # called with its name and dtype before each run
    given: State | None = None  # the start, where it does not begin from its own
    start: State = field(default_factory=dict)  # as it begins by itself
    held: frozenset[str] = frozenset()
    gather: Callable[[Any], list[Any]] | None = None
    random: dict[tuple[str, str], None] = field(default_factory=dict)  # its random operations
    random_numbers: dict[str, None] = field(default_factory=dict)  # that these are given
    drawn: dict[Any, int] = field(default_factory=dict)  # how often, by kind and shape
    idle: str = ""  # the compiler that is to compile it, and compiles nothing, if there is one
    _compiles: bool = False  # something that compiles nothing under ``Run.round_by``
    _eps: dict[str, float] = field(default_factory=dict)  # of the trained parameters
    _response: Responses = field(default_factory=list)
    _draws: int = 0

    def __post_init__(self) -> None:
        self.name, self.dtype, self.draws = self.training.name, self.asked.dtype, self.asked.draws

    @cached_property
    def kept(self) -> list[Observation]:
        """The observations of each of its steps."""
        return list(self.run(copy=True))

    @cached_property
    def scale(self) -> Responses:
        """The largest entry of each array, by step."""
        return scales(self.start if self.given is None else self.given, self.kept)

    def once(self) -> Iterable[Observation]:
        """Yield the observations of each step: of a new run, if none is stored."""
        return self.kept if "kept" in vars(self) else self.run()

    def response(self, draws: int) -> Responses:
        """Return the response by ``draws`` runs that begin close by and round in another way.

        It is infinite where that leads to numbers that are not finite.
        """
        if not self._response:
            self._response = floor(self.dtype, self.kept, self.scale)
        for draw in range(self._draws, draws):
            near = self.run(draw, closely=draws > DRAWS)
            for response, here, there in zip(self._response, self._unperturbed, near, strict=True):
                for key, parts in here.parts.items():
                    change = apart(parts, there.parts.get(key))
                    response[key] = max(response[key], math.inf if change is None else change)
        self._draws = max(self._draws, draws)
        return self._response

    @cached_property
    def _unperturbed(self) -> list[Observation]:
        """The run that perturbed ones are compared with, which is not compiled if they are not."""
        return [*self.run(compiled=False, copy=True)] if self._compiles else self.kept

    def run(
        self,
        draw: int | None = None,
        *,
        compiled: bool = True,
        closely: bool = False,
        copy: bool = False,
    ) -> Iterator[Observation]:
        """Yield the observations of each step of a fresh run, perhaps of a perturbed one.

        Without ``copy`` the next step may change it.
        """
        run = self.begin()
        if draw is not None:
            self._move(run, draw)
        if draw is not None or not compiled:
            run.round_by(draw, closely=closely)
        for _ in range(self.asked.steps):
            each = self._step(run)
            each.loss = run.loss
            for name, array in run.state(copy=copy).items():
                each.parts[ObservedName("update", name)] = [array]
            each.parts = {self._compared(key): parts for key, parts in each.parts.items()}
            each.lines = {self._compared(key): line for key, line in each.lines.items()}
            if world() > 1:
                _leave_out_own(each, {self.names(name) for name in run.parameters})
            yield each
        self.random |= run.random
        if (drawing := run.capability(Drawing)) is not None:
            self.random_numbers |= drawing.random_numbers
            self.drawn = dict(drawing.draws)
        self.held = frozenset({*self.start, *each.state})
        if draw is None and compiled:
            precision = run.precision()
            if (platform := run.capability(Platform)) is not None:
                self._compiles = platform.compiles
                idle = platform.asks_to_compile and not platform.compiles
                self.idle = platform.compiler if idle else ""
            self._eps = {name: precision[name] for name in run.trained}
        if world() > 1 and self.gather is None:
            self.gather = needed(run, Replicated).gathered

    def _step(self, run: Run) -> Observation:
        observing = run.capability(Observing) if self.asked.watched else None
        if observing is not None:
            return observing.observe()
        run.step()
        return Observation()

    def begin(self) -> Run:
        """Begin a fresh run from the start, under the same random numbers whatever made it."""
        self.tell(self.name, self.dtype)
        run = self.training.begin(self.asked.settings)
        if self.draws == "same":
            needed(run, Drawing).draw_alike()
        if not self.start:
            self.start = {self.names(name): array for name, array in run.state().items()}
        if self.given is not None:
            own = {name: self.names(name) for name in run.state(copy=False)}
            run.load({name: self.given[n] for name, n in own.items() if self._fits(n)})
        if self.asked.reseeded:
            needed(run, Drawing).reseed(self.asked.seed)
        return run

    def near(self, draw: int) -> State:
        """Return a start close by, where kinks lie elsewhere, under the names that are compared."""
        start = {**self.start, **(self.given or {})}
        eps = {self.names(name): OTHER_START_ULPS * eps for name, eps in self._eps.items()}
        random = self.asked.settings.perturbation(draw)
        return {**start, **nearby(start, eps, self._last_scale, random)}

    def _compared(self, key: ObservedName) -> ObservedName:
        return key._replace(name=self.names(key.name))

    def names(self, name: str) -> str:
        """Return the name by which something of its own is compared."""
        return self.renamed(bare(name))

    def _fits(self, name: str) -> bool:
        given = (self.given or {}).get(name)
        return given is not None and given.shape == self.start[name].shape

    def _move(self, run: Run, draw: int) -> None:
        scale = {name: self._last_scale.get(self.names(name), 0.0) for name in self._eps}
        random = self.asked.settings.perturbation(draw)
        run.load(nearby(run.state(copy=False), self._eps, scale, random))

    @property
    def _last_scale(self) -> dict[str, float]:
        """The largest entry of each array of the state, by the names that are compared."""
        return {key.name: most for key, most in self.scale[-1].items() if key.phase == "update"}


def _leave_out_own(shown: Observation, parameters: set[str]) -> None:
    """Leave out what differs between ranks by design.

    That is the statistics of a BatchNorm, and gradients before they are exchanged.
    """
    for key in [*shown.parts]:
        buffer = key.phase == "update" and key.name.startswith("model.")
        left = key.phase == "gradient" and not key.name.endswith(USED)
        if left or (buffer and key.name not in parameters):
            del shown.parts[key]


def scales(start: State, kept: list[Observation]) -> Responses:
    """Return the largest entry of each array, by step; of the state in all steps and the start."""
    state = {name: size(array) for name, array in start.items()}
    found = [
        {key: max(map(size, parts), default=0.0) for key, parts in step.parts.items()}
        for step in kept
    ]
    for sizes in found:
        for key in (key for key in sizes if key.phase == "update"):
            state[key.name] = max(state.get(key.name, 0.0), sizes[key])
    return [{k: state[k.name] if k.phase == "update" else s for k, s in f.items()} for f in found]


def floor(dtype: str, kept: list[Observation], scale: Responses) -> Responses:
    """Return the least response that is possible: one ulp of the largest entry; of integers 0."""
    eps = float(np.finfo(dtype).eps)
    return [
        {key: eps * sizes[key] if _floats(parts) else 0.0 for key, parts in step.parts.items()}
        for step, sizes in zip(kept, scale, strict=True)
    ]


def apart(a: list[Array], b: list[Array] | None) -> float | None:
    """Return the largest absolute difference of what two runs saw of one thing.

    It is infinite where a number is finite in one of them only; None if they do not correspond.
    """
    pieces = None if b is None else together(a, b)
    if pieces is None:
        return None
    return max((difference(x, y) for x, y in zip(*pieces, strict=True)), default=0.0)


def _floats(parts: list[Array]) -> bool:
    return all(array.dtype.kind == "f" for array in parts)
