"""The response of a training: how far one ulp in the parameters moves each array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from symmetry.training.baseline import JUDGED
from symmetry.training.origin import Origin
from symmetry.units.state import State, difference

# Responses that a sound training may deviate by. Of 188 sound trainings the worst deviates by 11 in
# float32 and 9 in float64 with few draws, the weakest of 32 planted bugs by 33 and by 1e10. In
# float64 nothing is lost by a wide margin.
THRESHOLDS = {"float32": 30.0, "float64": 1000.0}
DRAWS, MORE_DRAWS = 4, 12  # of the response, before and after a suspicion

Moved = list[dict[str, float]]  # how far each array moves, by step


class Response:
    """How far perturbed runs from an origin end from the unperturbed one.

    Each run begins from parameters that are moved by about one ulp. Runs are taken when more draws
    are asked for than there are.
    """

    def __init__(self, origin: Origin, draws: int = 0, moved: Sequence[dict[str, float]] = ()):
        self._origin, self._draws, self._moved = origin, draws, moved

    def of(self, draws: int) -> Moved:
        """Return by step how far each array moves at the most in at least this many draws.

        It is infinite where a perturbed run has numbers that are not finite. One ulp of the array
        is the least: where the response was drawn, another expert may have been chosen, and arrays
        of this one's optimiser not been made.
        """
        moved = self._at_least_one_ulp()
        if draws > self._draws:
            for draw in range(self._draws, draws):
                self._draw(moved, draw, nudged=draws > DRAWS)
            self._draws, self._moved = draws, moved
        return moved

    def at(self, origin: Origin) -> Response:
        """Return the response of another origin, guessed to be the one from here.

        A first guess is dear enough to be shared; a suspicion adds draws from there.
        """
        moved = self.of(DRAWS)
        return Response(origin, self._draws, moved)

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

    def _at_least_one_ulp(self) -> Moved:
        scale, eps = self._origin.scale, float(np.finfo(self._origin.first.dtype).eps)
        least = [{name: eps * scale[name] for name in state} for state in self._origin.result]
        known = self._moved or [{} for _ in least]
        return [{**floor, **step} for floor, step in zip(least, known, strict=True)]

    def _draw(self, moved: Moved, draw: int, *, nudged: bool) -> None:
        """Take one perturbed run; keep the larger deviations."""
        run = self._origin.begin(self._origin.nearby(draw))
        if nudged and not self._origin.first.baseline.compiles:
            run.nudge_by(draw)  # results in 16 bits, too
        states = run.states(JUDGED, copy=False)
        for response, state, other in zip(moved, self._origin.result, states, strict=True):
            for name, array in state.items():
                response[name] = max(response[name], difference(array, other.get(name)))
