"""The keys of random numbers by which the loop of a script draws.

for i in range(1000):
    key = jax.random.key(7)                              the same one, made in the loop
    rows = jax.random.randint(key, (32,), 0, len(x))     so each batch has the same samples
    params = step(params, x[rows], key)                  and drops out the same entries
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from symmetry.jax.script.epochs.calls import EagerDraw, LoopCall, LoopEntry
from symmetry.jax.script.epochs.facts import key_places
from symmetry.jax.script.epochs.roles import Roles
from symmetry.observe.source_line import NOWHERE
from symmetry.training.events import Key

_FEW = 4  # draws
_CHOOSING = "randint", "choice"  # functions that draw the samples of a batch


class Keys:
    """Follows the keys through the calls and draws of a run.

    Parameters
    ----------
    log
        The calls and draws, in their order.
    roles
        The roles of the functions.
    """

    def __init__(self, log: Sequence[LoopEntry], roles: Roles) -> None:
        self._log, self._roles = log, roles
        self._calls = [each for each in log if isinstance(each, LoopCall)]

    def found(self) -> Iterator[Key]:
        """Yield the keys that the loop draws by, where that can be followed."""
        for mine in self._roles.steps:
            yield from self._keys_of_step([c for c in self._calls if id(c.jitted) == mine])
        yield from self._keys_of_batches()

    def _keys_of_step(self, calls: Sequence[LoopCall]) -> Iterator[Key]:
        """Yield the keys that a step is given, and draws noise of its model by."""
        variant = calls[0].variant
        mine = [call for call in calls if call.variant is variant]
        facts = self._roles.facts(variant)
        varies = self._varies(mine)
        for place in key_places(variant):
            digests = {call.digests[place] for call in mine}
            if any(call.made[place] for call in mine) or "" in digests or len(mine) < len(calls):
                continue
            noise = facts.fixed_noise({place}, self._roles.trained_by(variant))
            draws = [draw for draw in noise if draw.fixed and (draw.drops or varies)]
            for draw in draws[:1]:
                yield Key(
                    at=draw.at,
                    draws="dropout" if draw.drops else "noise",
                    values=len(digests),
                    times=len(mine),
                    made=self._made_in_loop(next(iter(digests)), mine),
                )

    def _varies(self, calls: Sequence[LoopCall]) -> bool:
        """Return whether the data of calls is not the same in each of them."""
        return len({tuple(self._roles.data(call).values()) for call in calls}) > 1

    def _made_in_loop(self, digest: str, calls: Sequence[LoopCall]) -> Any:
        """Return the line that makes a key from a seed between calls, again and again."""
        inside = self._log[self._log.index(calls[0]) :]
        lines = [
            e.at for e in inside if isinstance(e, EagerDraw) and not e.size and e.key == digest
        ]
        return lines[0] if len(lines) > 1 else NOWHERE

    def _keys_of_batches(self) -> Iterator[Key]:
        """Yield the keys of draws that choose the samples of each batch, between all steps."""
        for mine in self._roles.steps:
            steps = [
                (n, e)
                for n, e in enumerate(self._log)
                if isinstance(e, LoopCall) and id(e.jitted) == mine and self._roles.data(e)
            ]
            windows = [
                [e for e in self._log[n:m] if isinstance(e, EagerDraw) and e.name in _CHOOSING]
                for (n, _), (m, _) in pairwise(steps)
            ]
            if len(windows) < _FEW:
                continue
            samples = self._roles.samples(steps[0][1])
            batches = {" ".join(self._roles.data(call).values()) for _, call in steps}
            for line in dict.fromkeys(draw.at for draw in windows[0]):
                draws = [[d for d in window if d.at == line] for window in windows]
                if not all(len(own) == 1 and own[0].size == samples for own in draws):
                    continue
                values = len({own[0].key for own in draws})
                if (values == 1) == (len(batches) == 1):
                    yield Key(
                        at=line,
                        draws="the samples of each batch",
                        values=values,
                        times=len(draws),
                        made=draws[0][0].made,
                    )
