"""Which inequalities belong to the odd unit, and not to the usual one that it is exchanged with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from symmetry.explanation.search.exchanged_runs import ExchangedRuns
from symmetry.explanation.search.inequality import Inequality


def odd_inequalities(
    runs: ExchangedRuns, mended: Sequence[Inequality] = ()
) -> tuple[list[Inequality], bool]:
    """Run with equal units; return what tells them apart, in order, and whether they split.

    Arrays of the control, in which the usual unit c takes the place of the odd one, leave out what
    belongs to the usual unit a. Those that are ``mended`` are made equal; behind a jump the
    exchange fits only where all operands hold both units.
    """
    found, last = runs.unequal(mended)
    odd = OddUnit(runs)
    lone = runs.exchange.unmatched(odd.inplace)
    found += [one for one in lone if one.event not in odd.evened_out]
    after = runs.after({one.event for one in mended if one.jumps})
    found = [
        one
        for one in odd.own(sorted(found, key=lambda one: one.event))
        if one.event not in after or (one.kind == "differs" and odd.holds_both(one.event))
    ]
    both = {runs.exchange.a, runs.exchange.b}
    return found, not any(both <= {*group} for group in runs.run.units.groups(last))


class OddUnit:
    """The operations on the odd unit that the usual one lacks."""

    def __init__(self, runs: ExchangedRuns) -> None:
        self._runs, self._located = runs, runs.located()

    @cached_property
    def inplace(self) -> set[int]:
        """The events that write into what was there."""
        return {number for number, seen in enumerate(self._runs.seen) if seen.call.written}

    @cached_property
    def evened_out(self) -> set[int]:
        """The events with one of the units alone, which later events make even.

        A sum that takes units one after the other holds a without b for some time, and in the end
        both: all that is made of it either is such an event again or depends on neither. Events
        that write into a part of an array are left out: the use of the rest is unknown.
        """
        located = {number for (number, _), _ in self._located}
        both = {number for (number, _), location in self._located if location.both}
        whole = {
            n for n, seen in enumerate(self._runs.seen) if len(seen.signature[-1]) == seen.fresh
        }
        users: dict[int, list[int]] = {}
        for number, seen in enumerate(self._runs.seen):
            for maker in seen.makers:
                if maker is not None:
                    users.setdefault(maker, []).append(number)
        found: set[int] = set()
        for number in sorted((located - both) & whole, reverse=True):
            later = users.get(number, ())
            if later and all(u in found or (u in whole and u not in located) for u in later):
                found.add(number)
        return found

    def holds_both(self, event: int) -> bool:
        """Return whether no operand of an event holds one of the units alone."""
        locations = map(self._runs.exchange.made_by, self._runs.seen[event].makers)
        return all(location is None or location.both for location in locations)

    def own(self, found: list[Inequality]) -> list[Inequality]:
        """Return the inequalities that belong to the odd unit, in the order of the run.

        Drop those that the control shows too: they come from a. Keep an operation that only the odd
        unit lacks if no inequality of its own comes earlier.
        """
        found = self._without_followers(found)
        shared = {one.event for one in self._runs.control.unmatched(self.inplace)}
        lacked = [o for o in found if o.kind == "alone" and o.event in self._runs.usual - shared]
        own = [one for one in found if one not in lacked]
        own = [one for one in own if one.kind == "differs" or one.event not in shared] or own
        jump = next((one for one in own if one.jumps and self._runs.matters(one)), None)
        if lacked and self._comes_first(lacked[0], jump):
            return sorted([*own, lacked[0]], key=lambda one: one.event)
        return own

    def _without_followers(self, found: list[Inequality]) -> list[Inequality]:
        """Leave out units that are alone behind an array that does not fit.

        There units are not where a fair run has them. If nothing else is left, all stay.
        """
        pairs = ((n, o, self._runs.control.locations.get((n, q))) for (n, q), o in self._located)
        unfit = [n for n, odd, usual in pairs if not odd.fits and usual and usual.fits]
        behind = self._runs.after(set(unfit))
        if unfit:  # later steps may be given copies
            end = next(end for end in self._runs.run.ends if end > self._runs.own.get(unfit[0], 0))
            behind |= {theirs for mine, theirs in self._runs.matched.items() if mine >= end}
        return [one for one in found if one.kind == "differs" or one.event not in behind] or found

    def _comes_first(self, lacked: Inequality, jump: Inequality | None) -> bool:
        """Return whether an operation that the odd unit lacks comes before its first jump."""
        if jump is None:
            return True
        if lacked.event >= jump.event:
            return False
        return jump.kind != "alone" or jump.event in self._runs.after({lacked.event})
