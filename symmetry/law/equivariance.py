"""The law, step(g·s) = g·step(s), on the start of any target.

*Rearrangement*: g moves units that differ; both sides are computed and compared, in multiples of
the response to rounding. *Clones*: g exchanges units that start with the same bits, so g·s is s,
and the state after every step must be the same under g. *Repeatable*: g does nothing, and the same
run gives the same bits.
"""

import math
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from symmetry.base.user_code import spell
from symmetry.law.judge import Ratios, judge, ratio, worst
from symmetry.law.measurement import UNSEEDED, Measurement, Violation
from symmetry.law.start import Orders, Start
from symmetry.units import compare
from symmetry.units.state import Array, State, difference, finite, has_moved
from symmetry.units.units import Pair, Units, merged, sources
from symmetry.units.words import in_ulps

_NO_UNITS = "no equal units were found"
_CLEAR = 1 / 3  # of the limit: what deviates by less at a glance is not looked at again

States = Sequence[Mapping[str, Array]]
Sides = tuple[States, States]  # the states of a run, and those that are expected
Responses = Sequence[Mapping[str, float]]  # by step, of each array that can be judged


def permutation(start: Start) -> Measurement:
    """Compare a run from rearranged units with the rearranged result, all groups at once."""
    return rearranged(start, start.groups, "units")


def rearranged(start: Start, groups: Sequence[Units], kind: str) -> Measurement:
    """Compare a run from rearranged units of these groups with the rearranged result.

    Witness: differing units are moved; the state moved.
    """
    if not groups:
        return Measurement(counted=False, note=_NO_UNITS, unproved=True)
    if not start.orders(groups, 0):
        return Measurement(counted=False, note=f"all {kind} are equal")

    def sides(number: int) -> Sides:
        return exchanged(start, start.orders(groups, number))

    found = compare_sides(start, sides, f"rearranged {kind}", "the rearranged result")
    if found.violation is None:
        return found
    return replace(found, violation=_with_group(start, groups, found.violation))


def clones(start: Start) -> Measurement:
    """Make units of each group copies of others, and compare them after every step.

    In each group the last unit becomes a copy of the first; of at least five units, the one after
    the middle a copy of the middle one. Where groups overlap, all that the copies together make
    equal is made equal.
    """
    groups = [units for units in start.groups if not units.selectable]
    if not groups:
        return Measurement(counted=False, note=_NO_UNITS, unproved=not start.groups)
    pairs = [
        (units, a, b)
        for units in groups
        for a, b in ((0, units.count - 1), (units.count // 2, units.count // 2 + 1))
        if a == 0 or units.count > 4
    ]
    source = sources(pairs, {**start.state, **start.result[-1]})
    changed = {name: array for name, array in start.state.items() if name in source}
    cloned = start.at(merged(changed, source))

    def sides(_: int) -> Sides:
        return cloned.result, [merged(state, source) for state in cloned.result]

    found = compare_sides(cloned, sides, "clones", "its clone", exact=True)
    if found.violation is None:
        return found
    if other := sorted(_reached(cloned, start)):
        # An expert that no sample chose before: nothing is known about it.
        note = f"cannot judge: with clones it changes {other[0]}, which it does not without them"
        return replace(found, violation=None, counted=False, note=note)
    return replace(found, violation=_split(pairs, found.violation))


def _reached(cloned: Start, start: Start) -> set[str]:
    """Return arrays that only the run with clones reaches: it makes them, or changes them.

    An array with units that are known may change by rounding alone, as the bias of a convolution
    before a BatchNorm does.
    """
    with_clones, without = cloned.result[-1], start.result[-1]
    made = with_clones.keys() - without.keys()
    known = {array for units in start.groups for array in units.arrays}
    return made | (_changed(cloned) - _changed(start) - known)


def _changed(start: Start) -> set[str]:
    last = start.result[-1]
    return {n for n, a in last.items() if n in start.state and difference(a, start.state[n])}


def repeatable(start: Start) -> Measurement:
    """Compare a run with a second one, and with a third after other runs in between.

    The first step with a number that is not finite is compared, too. If generators are made without
    a seed, runs give them one: a last run gives them other seeds.

    Witness: something moved.
    """
    first = start.first_run
    violation = first_difference(first, start.rerun(), "a second run")
    if violation is None:
        for states in start.runs_from_other_starts():
            deque(states, maxlen=0)
        violation = first_difference(first, start.rerun(), "a run after other ones")
    counted = has_moved(start.state, first)
    if violation is None and start.unseeded:
        violation = first_difference(first, start.rerun(other_seeds=True), "a second run")
        if violation is not None:
            return replace(Measurement.violated(_of_seeds(violation, start)), counted=counted)
    if violation is None:
        return Measurement(counted)
    message = violation.message + start.repeatability_hint
    violated = Measurement.violated(replace(violation, message=message))
    return replace(violated, counted=counted)


def _of_seeds(violation: Violation, start: Start) -> Violation:
    """Return a violation that ends with other seeds for generators that are made without one."""
    lines = sorted(start.unseeded, key=lambda line: not line.direct)
    first, others = lines[0], dict.fromkeys(spell(e.file, e.line) for e in lines[1:] if e.direct)
    also = f" (also {', '.join(others)})" if others else ""
    maker = "a random generator has" if first.direct else "a library makes a random generator with"
    message = (
        f"{maker} no seed, so each run draws other numbers: give it one, as in {first.cure}{also}; "
        "in the other checks it has one"
    )
    file, line = (first.file, first.line) if first.file else (None, None)
    return replace(violation, message=message, file=file, line=line, mechanism=UNSEEDED)


def first_difference(
    first: Iterable[State], other: Iterable[State], which: str, *, begin: int = 1
) -> Violation | None:
    """Return where another run gives other bits than the first one; both begin with this step."""
    for step, (expected, found) in enumerate(zip(first, other, strict=False), start=begin):
        for array, a in expected.items():
            if array not in found or found[array].shape != a.shape:
                text = f"in step {step} {which} has no {array} of this shape"
                return Violation(text, step, array)
            if not compare.identical(a, found[array]):
                text = f"in step {step} {which} gives another {{array}}: {{at}} is {{ulps}} from "
                return Violation.between(a, found[array], text + "the first run's", step, array)
    return None


def compare_sides(
    start: Start,
    sides: Callable[[int], Sides],
    changed: str,
    wanted: str,
    *,
    exact: bool = False,
) -> Measurement:
    """Compare two sides in multiples of the response; look closely at what seems a violation.

    ``sides`` returns both for rearrangements by number. Those of an ``exact`` comparison are all
    the same, and whatever differs violates it, if only by rounding.
    """
    measured = _compared(start, sides, changed, wanted, exact=exact)
    return replace(measured, random=tuple(start.random))


def _compared(
    start: Start, sides: Callable[[int], Sides], changed: str, wanted: str, *, exact: bool
) -> Measurement:
    if not _are_finite(start, start.result):
        return Measurement.cannot_judge("the run itself has numbers not finite")
    first = found, expected = sides(0)
    if not _are_finite(start, found):
        return Measurement.cannot_judge(f"the run from {changed} has numbers not finite")
    again = map(sides, range(1, 1 if exact else start.attempts))
    ratios, responses = _judged(start, first, again)
    lies = {array for units in start.groups for array in units.arrays}
    if not any(name in lies or not lies for name in ratios[0]):
        why = "the training is chaotic, rounding moves it by 1 %"
        return Measurement.cannot_judge(why)
    step, array = worst(ratios, start.limit)
    most = ratios[step][array]
    measured = Measurement(
        has_moved(start.state, start.result),
        margin=most / start.limit,
        ratio=most,
        threshold=start.limit,
        array=array,
    )
    b = expected[step][array]
    a = found[step].get(array, np.zeros_like(b))  # the optimiser of an expert never chosen
    if compare.identical(a, b):
        return measured
    text = (
        f"after step {step + 1} of a run from {changed}, {{at}} is {{a!s}}, {wanted} is {{b!s}}: "
        f"{most:.3g} times the response to rounding, limit {start.limit:.0f}"
    )
    entry = compare.largest_entry(abs(np.subtract(a, b, dtype=np.float64)))
    rounding, allowed = most <= start.limit, responses[step][array] * start.limit
    violation = Violation.between(
        a, b, text, step + 1, array, entry=entry, allowed=allowed, rounding=rounding
    )
    violated = not rounding or (exact and measured.counted)
    return replace(
        measured, max_ulps=violation.ulps or 0, violation=violation if violated else None
    )


def _judged(start: Start, first: Sides, again: Iterable[Sides]) -> tuple[Ratios[str], Responses]:
    """Return deviation by response, and the responses, of as few runs as leave no doubt.

    More runs can only make responses larger, and ratios smaller.
    """
    responses = start.glance()
    if responses is not None:
        ratios = deviations_by_response(first, responses)
        if max((value for step in ratios for value in step.values()), default=0.0) <= (
            _CLEAR * start.limit
        ):
            return ratios, responses

    def measures() -> Iterator[Callable[[Sides], Ratios[str]]]:
        nonlocal responses
        for closely in (False, True):
            responses = start.responses(closely=closely)
            yield partial(deviations_by_response, responses=responses)

    ratios = judge(first, measures(), start.limit, again)
    return ratios, responses or ()


def _are_finite(start: Start, states: States) -> bool:
    return all(finite(state, start.state) for state in states)


def deviations_by_response(sides: Sides, responses: Responses) -> Ratios[str]:
    """Return deviation by response of each array that can be judged, by step."""
    found, expected = sides
    return [
        {
            name: ratio(difference(array, found[step].get(name)), response[name])
            for name, array in expected[step].items()
            if name in response
        }
        for step, response in enumerate(responses)
    ]


def holds(start: Start, found: States, beside: Container[str] = ()) -> bool:
    """Return whether the states of another run are the result, up to rounding looked at closely.

    The arrays ``beside`` do not count.
    """
    ratios = deviations_by_response((found, start.result), start.responses(closely=True))
    counting = (most for step in ratios for name, most in step.items() if name not in beside)
    return all(map(finite, found)) and max(counting, default=0.0) <= start.limit


def largest_ratio(
    start: Start, found: States, expected: States, *, closely: bool = False
) -> tuple[float, int, str]:
    """Return the largest deviation by response, with its step and array."""
    ratios = deviations_by_response((found, expected), start.responses(closely=closely))
    step, array = worst(ratios, start.limit)
    return ratios[step][array], step, array


def exchanged(start: Start, orders: Orders) -> Sides:
    """Return the states of a run from the rearranged start, and the rearranged ones."""

    def change(state: State) -> State:
        for units, order in orders:
            state = units.rearranged(state, order)
        return state

    state = change(start.state)
    moved = {name: array for name, array in state.items() if array is not start.state[name]}
    return start.states(moved), [dict(change(state)) for state in start.result]


def _with_group(start: Start, groups: Sequence[Units], violation: Violation) -> Violation:
    """Name the group of units: of those in the array, the one that violates most on its own."""
    worst, named = 0.0, violation
    for units in groups:
        if len(groups) > 1 and violation.array not in units.arrays:
            continue
        orders = start.orders([units])
        own = math.inf
        if len(groups) > 1:
            ratios = deviations_by_response(exchanged(start, orders), start.responses())
            own = ratios[violation.iteration - 1].get(violation.array, 0.0)
        if own > worst:
            pair = units.pair_at(violation.array, violation.entry or (), orders[0][1])
            worst, named = own, replace(violation, group=units.name, units=pair)
    return named


def _split(pairs: Sequence[Pair], violation: Violation) -> Violation:
    """Say which units of which group are no longer equal."""
    entry = violation.entry or ()
    for units, usual, odd in pairs:
        if units.unit_at(violation.array, entry) == odd:
            how_far = violation.message.rpartition(": ")[2]
            message = (
                f"after step {violation.iteration} unit {odd} of {units.name} is no longer equal "
                f"to unit {usual}: {violation.array}{list(entry)} is "
                f"{in_ulps(violation.ulps or 0)} off, {how_far}"
            )
            return replace(violation, message=message, group=units.name, units=(odd, usual))
    return violation
