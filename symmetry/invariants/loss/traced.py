"""Invariants of a loss that are judged on a trace of a script's first updates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import wraps
from typing import Generic, TypeVar

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loop.judgement import Judgement, as_measurement
from symmetry.law.invariant import Statement
from symmetry.law.measurement import Measurement
from symmetry.training.start import TrainingStart
from symmetry.training.updates import Updates

AGAIN = 2  # updates that have to show the same: one may be chance, or a warm-up
_NO_TRACE = "only a script whose framework records whole updates has a trace of them"
_NO_UPDATES = "no update of an optimiser is on the trace"

Key = TypeVar("Key", bound=Hashable)


def update_invariant(words: Statement, judge: Callable[[Updates], Judgement]) -> TrainingInvariant:
    """Return an invariant of updates: all look at one trace."""
    words = replace(words, targets="scripts")

    @wraps(judge)
    def measure(start: TrainingStart) -> Measurement:
        updates = start.target.updates(start.seed)
        if updates is None:
            return Measurement.not_applicable(_NO_TRACE)
        if not updates.updates:
            return Measurement.not_applicable(updates.why or _NO_UPDATES)
        return as_measurement(judge(updates))

    return TrainingInvariant(**vars(words), measure=measure, dtypes=WRITTEN, runs=1, scripts=True)


class Repeated(Generic[Key]):
    """Facts of single updates: only a fact that all of them show counts, and two at least."""

    def __init__(self) -> None:
        self._seen: dict[Key, dict[int, bool]] = defaultdict(dict)

    def see(self, key: Key, update: int, *, shows: bool) -> None:
        """See whether an update shows at a key the thing that is looked for."""
        self._seen[key][update] = shows and self._seen[key].get(update, True)

    def always(self, key: Key) -> bool:
        """Return whether all updates that came there show it, and enough did."""
        seen = self._seen[key]
        return len(seen) >= AGAIN and all(seen.values())

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._seen)
