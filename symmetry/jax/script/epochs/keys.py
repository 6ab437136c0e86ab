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
        yield from self._keys_of_orders()
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
            fixed = facts.noise(facts.trained, {place})
            draws = [draw for draw in fixed if draw.fixed and (draw.drops or varies)]
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

    def _keys_of_orders(self) -> Iterator[Key]:
        """Yield the keys of permutations, each of which is used up before the next one is drawn.

        There are as many samples as all batches in between have, and not all are in one batch.
        """
        drawn = [
            (n, each)
            for n, each in enumerate(self._log)
            if isinstance(each, EagerDraw) and each.name == "permutation"
        ]
        for line in dict.fromkeys(each.at for _, each in drawn):
            mine = [(n, each) for n, each in drawn if each.at == line]
            epochs = [self._steps_between(n, m) for (n, _), (m, _) in pairwise(mine)]
            sizes = {each.size for _, each in mine}
            if (
                len(mine) > _FEW
                and len(sizes) == 1
                and all(_is_epoch(e, min(sizes)) for e in epochs)
            ):
                firsts = {digests[0] for digests, _ in epochs}
                values = len({each.key for _, each in mine})
                if (len(firsts) == 1) == (values == 1):
                    yield Key(
                        at=line,
                        draws="the order of the samples",
                        values=values,
                        times=len(mine),
                        made=mine[0][1].made,
                    )

    def _steps_between(self, first: int, last: int) -> tuple[list[str], int]:
        """Return the digests of the batches of the steps in between, and the samples of each."""
        calls = [
            each
            for each in self._log[first:last]
            if isinstance(each, LoopCall) and self._roles.is_step(each)
        ]
        return [" ".join(self._roles.data(call).values()) for call in calls], max(
            (self._roles.samples(call) for call in calls if self._roles.data(call)), default=0
        )

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


def _is_epoch(epoch: tuple[list[str], int], samples: int) -> bool:
    """Return whether the batches of some steps are all samples once, but for a smaller rest."""
    digests, size = epoch
    return 0 < size < samples and samples - size < len(digests) * size < samples + size
