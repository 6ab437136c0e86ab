"""The response of a training: how far each array moves if everything is rounded in another way.

Example: a step makes its only parameter w four times as large. It begins at 1; e is the eps.

    run            start     step 1    step 2
    unperturbed    1         4         16
    draw 0         1 + 1e    4 + 5e    16 + 22e    from a start that is 1 eps away
    draw 1         1 - 2e    4 - 8e    16 - 32e    from a start that is 2 eps away
    one ulp                  16e       16e         of the largest entry of w: the least response
    response                 16e       32e         the largest of these

A start differs from the true one by up to two ulps, at random, and so does the result of each
operation by up to one: a sum that cancels does not move with the start. Another run of the same
training, whose sums are rounded otherwise, deviates by a few responses. ``THRESHOLDS`` are the
limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from symmetry.training.baseline import JUDGED, States, judged_states
from symmetry.training.origin import Origin
from symmetry.training.run import Run
from symmetry.units.state import State, difference

# Responses that a sound training may deviate by. The worst of 197 sound trainings that are not
# accused deviates by 8 in float32 and 12 in float64, the weakest of 57 planted bugs by 54 and by
# 9e6 in the precision that shows it better. In float64 nothing is lost by a wide margin.
THRESHOLDS = {"float32": 30.0, "float64": 1000.0}
# Draws of the response: for a glance, for a look where that leaves doubt, and after a suspicion.
GLANCE, DRAWS, MORE_DRAWS = 1, 4, 12

Moved = list[dict[str, float]]  # how far each array moves, by step


class Response:
    """How far perturbed runs from an origin end from the unperturbed one.

    Each run begins from parameters that are moved by about one ulp, and rounds each operation in
    another way. Runs are taken when more draws are asked for than there are.
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
                self._draw(moved, draw, closely=draws > DRAWS)
            self._moved[draws] = moved
        return moved

    def at(self, origin: Origin) -> Response:
        """Return the response of another origin, guessed to be the one from here.

        A first guess is dear enough to be shared; a suspicion adds draws from there.
        """
        return Response(origin, guess=self)

    def first_draw(self) -> Iterator[State]:
        """Yield the states of the first perturbed run, which is taken in this process."""
        moved, result = self._at_least_one_ulp(()), self._unperturbed
        run = self._origin.begin(self._origin.nearby(0))
        run.round_by(0)
        states = run.states(JUDGED, copy=False)
        for response, state, other in zip(moved, result, states, strict=True):
            _enlarge(response, _gap(state, other))
            yield other
        self._moved[GLANCE] = moved

    @cached_property
    def _unperturbed(self) -> States:
        """The states that perturbed runs are compared with.

        Nothing is compiled where operations are rounded in another way: what is wrong with a
        compiled run would count as a response.
        """
        if not self._origin.first.baseline.compiles:
            return self._origin.result

        def not_compiled(run: Run) -> States:
            run.round_by(None)
            return judged_states(run)

        return self._origin.with_run(not_compiled, {})

    def _one_ulp(self) -> Moved:
        scale, eps = self._origin.scale, float(np.finfo(self._origin.first.settings.dtype).eps)
        return [{name: eps * scale[name] for name in state} for state in self._origin.result]

    def _at_least_one_ulp(self, known: Sequence[dict[str, float]]) -> Moved:
        least = self._one_ulp()
        steps = known or [{} for _ in least]
        return [{**floor, **step} for floor, step in zip(least, steps, strict=True)]

    def _draw(self, moved: Moved, draw: int, *, closely: bool) -> None:
        """Take one perturbed run; keep the larger deviations."""
        unperturbed = self._unperturbed

        def gaps(run: Run) -> Moved:
            run.round_by(draw, closely=closely)
            return _gaps(run, unperturbed)

        drawn = self._origin.with_run(gaps, self._origin.nearby(draw))
        for response, gap in zip(moved, drawn, strict=True):
            _enlarge(response, gap)


def _gaps(run: Run, result: States) -> Moved:
    """Return by step how far each array of a perturbed run is from the unperturbed one."""
    states = run.states(JUDGED, copy=False)
    return [_gap(state, other) for state, other in zip(result, states, strict=True)]


def _gap(state: State, other: State) -> dict[str, float]:
    return {name: difference(array, other.get(name)) for name, array in state.items()}


def _enlarge(response: dict[str, float], gap: Mapping[str, float]) -> None:
    response.update({name: max(response[name], far) for name, far in gap.items()})
