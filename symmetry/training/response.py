"""The response of a training: how far one ulp in the parameters moves each array.

Example: a step makes its only parameter w four times as large. It begins at 1; e is the eps.

    run            start     step 1    step 2
    unperturbed    1         4         16
    draw 0         1 + 1e    4 + 4e    16 + 16e    from a start that is 1 eps away
    draw 1         1 - 2e    4 - 8e    16 - 32e    from a start that is 2 eps away
    one ulp                  16e       16e         of the largest entry of w: the least response
    response                 16e       32e         the largest of these

A start differs from the true one by up to two ulps, at random. Another run of the same training,
whose sums are rounded otherwise, deviates by a few responses. ``THRESHOLDS`` are the limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from symmetry.training.baseline import JUDGED, States
from symmetry.training.origin import Origin
from symmetry.training.run import Run
from symmetry.units.state import State, difference

# Responses that a sound training may deviate by. The worst of 188 sound trainings deviates by 11 in
# float32 and 9 in float64 with few draws, the weakest of 32 planted bugs by 33 and by 1e10. In
# float64 nothing is lost by a wide margin.
THRESHOLDS = {"float32": 30.0, "float64": 1000.0}
# Draws of the response: for a glance, for a look where that leaves doubt, and after a suspicion.
GLANCE, DRAWS, MORE_DRAWS = 1, 4, 12
# Ulps: a bias that all scores of a softmax share has a gradient of rounding alone, and an optimiser
# scales that up. One ulp may be too little to round the chances differently; these, about 1 % and
# the root of eps, are enough where the scores of a new model are nearly equal.
FAR_ULPS = {"float32": 2.0**16, "float64": 2.0**26}
FAR_DRAWS = 2
STILL_ULPS = 4  # ulps: an array moves by up to two as its start does

Moved = list[dict[str, float]]  # how far each array moves, by step


class Response:
    """How far perturbed runs from an origin end from the unperturbed one.

    Each run begins from parameters that are moved by about one ulp. After a suspicion two more runs
    begin further away, for arrays that no ulp has moved. Runs are taken when more draws are asked
    for than there are.
    """

    def __init__(
        self,
        origin: Origin,
        draws: int = 0,
        moved: Sequence[dict[str, float]] = (),
        guess: Response | None = None,
    ):
        self._origin, self._guess = origin, guess
        self._moved = {draws: moved}  # by the number of draws

    def of(self, draws: int) -> Moved:
        """Return by step how far each array moves at the most in at least this many draws.

        It is infinite where a perturbed run has numbers that are not finite. One ulp of the array
        is the least: where the response was drawn, another expert may have been chosen, and arrays
        of this one's optimiser not been made.
        """
        if self._guess is not None:  # it has as many draws as a look needs
            if draws <= DRAWS:
                return self._at_least_one_ulp(self._guess.of(draws))
            self._moved.setdefault(DRAWS, self._guess.of(DRAWS))
        draws = max(draws, min(self._moved))
        known = max(number for number in self._moved if number <= draws)
        moved = self._at_least_one_ulp(self._moved[known])
        if draws > known:
            for draw in range(known, draws):
                self._draw(moved, draw, nudged=draws > DRAWS)
            if draws > DRAWS:
                self._draw_far(moved)
            self._moved[draws] = moved
        return moved

    def at(self, origin: Origin) -> Response:
        """Return the response of another origin, guessed to be the one from here.

        A first guess is dear enough to be shared; a suspicion adds draws from there.
        """
        return Response(origin, guess=self)

    def with_another(self, states: Sequence[State], near: Iterable[Sequence[State]]) -> Response:
        """Return a response at least as large as another run's, which may be less accurate.

        These are the run's states, and those of runs from starts close by.
        """
        moved = self.of(MORE_DRAWS)
        for others in near:
            for response, state, other in zip(moved, states, others, strict=True):
                for name in response.keys() & state.keys():
                    gap = difference(state[name], other.get(name))
                    response[name] = max(response[name], gap)
        return Response(self._origin, MORE_DRAWS, moved)

    def first_draw(self) -> Iterator[State]:
        """Yield the states of the first perturbed run, which is taken in this process."""
        moved, result = self._at_least_one_ulp(()), self._origin.result
        run = self._origin.begin(self._origin.nearby(0))
        states = run.states(JUDGED, copy=False)
        for response, state, other in zip(moved, result, states, strict=True):
            _enlarge(response, _gap(state, other))
            yield other
        self._moved[GLANCE] = moved

    def _one_ulp(self) -> Moved:
        scale, eps = self._origin.scale, float(np.finfo(self._origin.first.settings.dtype).eps)
        return [{name: eps * scale[name] for name in state} for state in self._origin.result]

    def _at_least_one_ulp(self, known: Sequence[dict[str, float]]) -> Moved:
        least = self._one_ulp()
        steps = known or [{} for _ in least]
        return [{**floor, **step} for floor, step in zip(least, steps, strict=True)]

    def _draw(self, moved: Moved, draw: int, *, nudged: bool) -> None:
        """Take one perturbed run; keep the larger deviations."""
        result = self._origin.result
        nudged = nudged and not self._origin.first.baseline.compiles

        def gaps(run: Run) -> Moved:
            if nudged:
                run.nudge_by(draw)  # results in 16 bits, too
            return _gaps(run, result)

        drawn = self._origin.with_run(gaps, self._origin.nearby(draw))
        for response, gap in zip(moved, drawn, strict=True):
            _enlarge(response, gap)

    def _draw_far(self, moved: Moved) -> None:
        """Take runs from further away for the arrays that moved no more than their starts.

        There a smooth training moves them as many times as far; more than that is rounding.
        """
        floors, far = self._one_ulp(), FAR_ULPS[self._origin.first.settings.dtype]
        smooth = [
            {
                name: far * STILL_ULPS * low
                for name, low in floor.items()
                if step[name] <= STILL_ULPS * low
            }
            for step, floor in zip(moved, floors, strict=True)
        ]
        measured = partial(_gaps, result=self._origin.result)
        for draw in range(FAR_DRAWS if any(smooth) else 0):
            gaps = self._origin.with_run(measured, self._origin.nearby(MORE_DRAWS + draw, far))
            for response, gap, limits in zip(moved, gaps, smooth, strict=False):
                response.update({n: max(response[n], gap[n]) for n in limits if gap[n] > limits[n]})


def _gaps(run: Run, result: States) -> Moved:
    """Return by step how far each array of a perturbed run is from the unperturbed one."""
    states = run.states(JUDGED, copy=False)
    return [_gap(state, other) for state, other in zip(result, states, strict=True)]


def _gap(state: State, other: State) -> dict[str, float]:
    return {name: difference(array, other.get(name)) for name, array in state.items()}


def _enlarge(response: dict[str, float], gap: Mapping[str, float]) -> None:
    response.update({name: max(response[name], far) for name, far in gap.items()})
