"""A state that runs of a training begin from, in one precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property

from symmetry.base.randomness.random import Random
from symmetry.training.baseline import FirstRuns, States, judged_states
from symmetry.training.capabilities.batching import Arrangement
from symmetry.training.capabilities.platform import Configuring
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Result
from symmetry.units.state import Array, State, largest, size

OTHER_START_ULPS = (
    1000  # ulps between starts at which two trainings are judged, once they seem to differ
)


class Origin:
    """A state that runs begin from, and the unperturbed run from there.

    Attributes
    ----------
    first
        The first runs of the training, which begin from its own state.
    changed
        The arrays of the state that are not as the training makes them.
    averaged
        The axes along which runs read a constant as the same, by the constant's number.
    setting
        A setting of the framework that runs have while they are used by ``with_run``. Random
        operations then draw as they are written. None leaves both to each run.
    """

    def __init__(
        self,
        first: FirstRuns,
        changed: State | None = None,
        averaged: Mapping[int, Sequence[int]] | None = None,
        setting: str | None = None,
    ) -> None:
        self.first, self.changed, self.averaged = first, changed or {}, averaged or {}
        self.setting = setting
        self._result: States | None = None

    @cached_property
    def state(self) -> State:
        """The state before the first step."""
        return {**self.first.baseline.state, **self.changed}

    @property
    def result(self) -> States:
        """The states after the steps that are judged, without the model's random operations."""
        if not (self.changed or self.averaged or self.setting):
            return self.first.noiseless
        if self._result is None:
            self._result = self.states({})
        return self._result

    @cached_property
    def scale(self) -> Mapping[str, float]:
        """The largest finite entry of each array, before or after the steps."""
        scale: dict[str, float] = {}
        for state in (self.state, *self.result):
            for name, array in state.items():
                scale[name] = max(scale.get(name, 0.0), size(array))
        return scale

    def release(self) -> None:
        """Let go of the states of runs: they are computed again where they are needed."""
        self.first.release()
        self._result = None

    def begin(
        self,
        changed: State | None = None,
        *,
        noise: bool | None = None,
        order: Arrangement | None = None,
    ) -> Run:
        """Begin a fresh run from here, in which these arrays are changed; see ``TrainingStart``."""
        run = self.first.target.begin(self._settings(noise=noise, order=order))
        return self._moved(run, changed)

    def with_run(
        self,
        function: Callable[[Run], Result],
        changed: State | None = None,
        *,
        noise: bool | None = None,
        order: Arrangement | None = None,
    ) -> Result:
        """Return what a function returns, called with such a run; see ``Training.with_run``."""
        settings = self._settings(noise=noise, order=order)

        def called(run: Run) -> Result:
            with self._set(run):
                return function(self._moved(run, changed))

        return self.first.target.with_run(called, settings)

    def _set(self, run: Run) -> AbstractContextManager[object]:
        if self.setting is None:
            return nullcontext()
        return needed(run, Configuring).with_setting(self.setting)

    def _settings(self, *, noise: bool | None, order: Arrangement | None) -> RunSettings:
        settings = self.first.settings
        if noise is None:  # a run that passes through modes need not be as it is written
            random = self.first.random and self.setting is None
            noise = not settings.promotes and not random
        return replace(settings, noise=noise, order=order)

    def _moved(self, run: Run, changed: State | None) -> Run:
        """Return a run that begins here, and no more where the training does."""
        run.load({**self.first.held, **self.changed, **(changed or {})})
        if self.averaged:
            run.average_constants(self.averaged)
        return run

    def states(self, changed: State) -> States:
        """Return the states of a run from here in which these arrays are replaced."""
        return self.with_run(judged_states, changed)

    def nearby(self, draw: int, times: float = 1.0) -> State:
        """Return parameters moved by up to one ulp and eps of the largest entry, by number.

        ``times`` multiplies the distance.
        """
        baseline = self.first.baseline
        eps = {name: times * baseline.precision[name] for name in baseline.trained}
        return nearby(self.state, eps, self.scale, self.first.settings.perturbation(draw))


def nearby(
    start: State, precision: Mapping[str, float], scale: Mapping[str, float], random: Random
) -> dict[str, Array]:
    """Return arrays moved by up to one ulp and eps of their largest entry, at random.

    These are the ones whose eps is given. One of zeros has the ``scale`` that it has later.
    """
    changed: dict[str, Array] = {}
    for name, array in start.items():
        if name in precision:
            shift = random.uniform(array.shape, -1.0, 1.0)
            shift *= abs(array) + (largest(array) or scale[name])
            shift *= precision[name]
            shift += array
            changed[name] = shift.astype(array.dtype)
    return changed
