"""What is known of an operation that tells units apart: its arrays, its cause, its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from symmetry.culprit.explanation import Culprit, Difference, Operand
from symmetry.culprit.pair import Finding
from symmetry.culprit.script import write
from symmetry.culprit.search import Seen, Ways, step_of
from symmetry.culprit.spot import Spot, locate, same
from symmetry.observe.tape import Event
from symmetry.units import compare
from symmetry.units.compare import Group
from symmetry.units.state import Array
from symmetry.units.units import Units
from symmetry.units.words import groups_in_words, places_in_words

_MASKS = ("bernoulli", "dropout")


@dataclass
class Case:
    """What all culprits of one explanation share.

    Attributes
    ----------
    ways
        Of the two units.
    units
        Their group of units.
    own
        The events of the run with equal units.
    ends
        How many of them there were after each step.
    groups
        Which clones are equal at the end.
    earlier
        Steps before those that are watched.
    """

    ways: Ways
    units: Units
    own: Sequence[Seen]
    ends: Sequence[int]
    groups: Sequence[Group]
    earlier: int

    @property
    def clones(self) -> Group:
        """All units that began equal."""
        return tuple(sorted(unit for group in self.groups for unit in group))


@np.errstate(all="ignore")
def describe(case: Case, finding: Finding, size: str) -> Culprit:
    """Watch the operation once more, with its operands, and do it again alone.

    Parameters
    ----------
    size
        What is said of its size, if it does not jump.
    """
    ways, number = case.ways, finding.event
    subject = ways.subject
    mine = ways.own(number)
    names: dict[int, tuple[str, str]] = {}

    def note(event: Event) -> None:
        live = zip(event.arrays, event.memories, strict=False)  # what it wrote over is not
        names.update(enumerate(subject.named(array, memory) for array, memory in live))

    s = ways.captured(ways.different, {number})[number]
    t = ways.captured(ways.swapped, {number})[number]
    r = ways.captured(subject.start, {mine}, note)[mine]
    spots = [
        locate(one, other, ways.pair.distance)
        for one, other in zip(s.operands, t.operands, strict=True)
    ]
    q = finding.key[1] if finding.key[1] < r.fresh else 0  # else it is what was written over
    result, spot = r.arrays[q], finding.spot
    places = _places(ways, finding, result, case.clones)
    cause, origin = _cause(case, r, finding, spots)
    seen = case.own[mine if origin is None else origin]
    place, phase = seen.place, seen.place.phase
    parameter, rows = names.get(q, ("", "")) if origin is None else ("", "")
    if phase == "other" and parameter and not parameter.startswith("the gradient"):
        phase = "optimizer"  # the user's own one
    return Culprit(
        operation=seen.name,
        file=str(place).rpartition(":")[0],
        line=place.line,
        source=place.source,
        phase=phase,
        module=place.module,
        parameter=parameter,
        rows=rows or (parameter and _rows(result, spot, places)),
        step=case.earlier + step_of(mine, case.ends),
        cause=cause,
        operands=tuple(
            _operand(array, dtype, where)
            for array, dtype, where in zip(r.operands, r.call.dtypes, spots, strict=True)
        ),
        result=_operand(result, result.dtype.name, spot),
        difference=_difference(case, result, spot, places, size or _jump(finding, r)),
        remarks=tuple(_remarks(case, r, finding, spots, origin)),
        evidence=tuple(_repeated(r, finding)),
        script=write(r, q, spot, places, f"{r.name}: {cause}"),
    )


def _places(ways: Ways, finding: Finding, array: Array, clones: Group) -> dict[int, int]:
    """Return the index of each clone along the axis of the units, the usual one first.

    Empty if they do not lie along one, evenly.
    """
    spot, pair, control = finding.spot, ways.pair, ways.control
    if spot.kind != "axis":
        return {}
    here, there = (spot.i, spot.j) if pair.a < pair.b else (spot.j, spot.i)
    other = control and control.spots.get(finding.key)
    if other and other.kind == "axis" and here not in (other.i, other.j):
        here, there = there, here
    length = array.shape[spot.axis]
    stride, odd = divmod(there - here, pair.b - pair.a)
    if odd:
        return {pair.a: here, pair.b: there}
    places = {u: here + (u - pair.a) * stride for u in (pair.a, *clones)}
    return {u: place for u, place in places.items() if 0 <= place < length}


def _rows(array: Array, spot: Spot, places: Mapping[int, int]) -> str:
    """Name the rows or columns in which most units are not as the others."""
    if len(places) < 2:
        return ""
    rows = np.moveaxis(array, spot.axis, 0)
    usual = rows[next(iter(places.values()))]
    odd = sorted(place for place in places.values() if not same(rows[place], usual))
    return places_in_words(odd, spot.axis)


def _difference(
    case: Case, array: Array, spot: Spot, places: Mapping[int, int], size: str
) -> Difference:
    """Say which units differ in the result, and by how much."""
    groups = case.groups
    if len(places) > 1:
        units = sorted(places)
        rows = np.moveaxis(array, spot.axis, 0)[[places[unit] for unit in units]]
        one, other = rows, np.broadcast_to(rows[units.index(next(iter(places)))], rows.shape)
        found: dict[bytes, list[int]] = {}
        for unit, row in zip(units, rows, strict=True):
            found.setdefault((row + 0 if row.dtype != bool else row).tobytes(), []).append(unit)
        groups = [tuple(group) for group in found.values()]
    elif spot.kind == "alone":
        return Difference(groups_in_words(groups), None, 0.0, size)
    else:
        one, other = spot.sides(array)
    exact = one.dtype in (np.float32, np.float64)
    ulps = compare.max_ulps(one, np.ascontiguousarray(other)) if exact else None
    relative = compare.max_relative(abs(one).astype(np.float64), abs(other).astype(np.float64))
    return Difference(groups_in_words(groups), ulps, relative, size)


def _jump(finding: Finding, event: Event) -> str:
    """Say how large a jump is."""
    if finding.kind == "alone":
        if not event.call.written:
            return "nothing to compare it with"
        before, after = event.operands[event.call.written[0]], event.arrays[0]
        if before.dtype.kind not in "fc":
            return "nothing to compare it with"
        return f"it changes a unit by a relative {compare.max_relative(before, after):.2g}"
    if finding.noise == 0:
        return "a jump: rounding cannot move it"
    return f"a jump: {finding.deviation / finding.noise:.2g} times what rounding can come to"


def _operand(array: Array, dtype: str, spot: Spot | None) -> Operand:
    strides = tuple(stride // array.itemsize for stride in array.strides)
    flags = array.flags
    memory = (
        "contiguous" if flags.c_contiguous else "transposed" if flags.f_contiguous else "strided"
    )
    return Operand(dtype, array.shape, strides, memory, _units(array, spot))


def _units(array: Array, spot: Spot | None) -> str:
    if spot is None:
        return "no units"
    if spot.kind == "alone":
        return "only one of the two units"
    where = f"units along axis {spot.axis}" if spot.kind == "axis" else "units entry by entry"
    return f"{where}, equal" if same(*spot.sides(array)) else f"{where}, which differ"


def _foreign(finding: Finding, event: Event, spots: Sequence[Spot | None]) -> list[int]:
    """Return the operands that the exchange does not move, but that differ at the units' places."""
    spot, found = finding.spot, []
    if spot.kind != "axis":
        return []
    result = event.arrays[finding.key[1]]
    for position, (array, where) in enumerate(zip(event.operands, spots, strict=True)):
        axis = spot.axis - result.ndim + array.ndim  # as operands are broadcast
        if where is not None or axis < 0 or array.shape[axis] != result.shape[spot.axis]:
            continue
        if not same(array.take(spot.i, axis), array.take(spot.j, axis)):
            found.append(position)
    return found


def _cause(
    case: Case, event: Event, finding: Finding, spots: Sequence[Spot | None]
) -> tuple[str, int | None]:
    """Say what the operation did; also return the random operation behind it, if there is one."""
    foreign = _foreign(finding, event, spots)
    origin = _random_origin(case, event, foreign)
    if origin is not None or event.call.random:
        name = event.name if origin is None else case.own[origin].name
        noise = "" if any(word in name for word in _MASKS) else ", or noise"
        return (
            f"it draws random numbers that differ between the units: a random mask{noise}",
            origin,
        )
    if foreign:
        many = len(foreign) > 1
        listed = " and ".join(str(position + 1) for position in foreign)
        return (
            f"it brings values that are equal for equal units together with operand{'s' * many} "
            f"{listed}, which differ{'s' * (not many)} between them"
        ), None
    if finding.spot.kind == "alone":
        return _alone(case.ways, finding), None
    elsewhere = _elsewhere(finding, spots)
    if elsewhere is not None:
        words = f"operand {elsewhere + 1} holds the units at other positions"
        return words, _mover(case, finding, elsewhere)
    already = _already(event, spots)
    if already is not None:
        return (
            f"operand {already + 1} already differs; it comes from code that was not observed"
        ), None
    if finding.key[1] < len(event.call.written) and event.partial:
        return "it writes into some of the units of an array whose units were equal", None
    return "its operands are equal for equal units, its result is not", None


def _alone(ways: Ways, finding: Finding) -> str:
    usual = ways.control is not None and any(
        key[0] == finding.event and spot for key, spot in ways.control.spots.items()
    )
    one, other = (ways.pair.a, ways.pair.b) if usual else (ways.pair.b, ways.pair.a)
    if finding.kind == "alone":
        return f"unit {one} goes through it, and unit {other} through no such operation"
    return f"what it makes of unit {one} is not what the same operation makes of unit {other}"


def _random_origin(case: Case, event: Event, foreign: Sequence[int]) -> int | None:
    """Walk from foreign operands to their makers, up to one that draws random numbers."""
    waiting, met = [event.makers[position] for position in foreign], set()
    while waiting:
        number = waiting.pop()
        if number is None or number in met:
            continue
        met.add(number)
        if case.own[number].random:
            return number
        waiting += case.own[number].makers
    return None


def _elsewhere(finding: Finding, spots: Sequence[Spot | None]) -> int | None:
    """Return an operand whose units lie at other indices than those of the one before it."""
    along = [(n, s) for n, s in enumerate(spots) if s is not None and s.kind == "axis"]
    for (_, one), (position, other) in pairwise(along):
        if (one.i, one.j) != (other.i, other.j) and not finding.spot.fits:
            return position
    return None


def _mover(case: Case, finding: Finding, position: int) -> int | None:
    """Return the event that brought the units of an operand to other positions."""
    ways = case.ways
    number = ways.seen[finding.event].makers[position]
    while number is not None:
        here = ways.pair.spots.get((number, 0))
        before = [m for m in ways.seen[number].makers if m is not None]
        along = [(m, spot) for m in before if (spot := ways.pair.spots.get((m, 0))) is not None]
        if here is None or not along:
            return None
        if (here.i, here.j) != (along[0][1].i, along[0][1].j):
            return ways.own(number)
        number = along[0][0]
    return None


def _already(event: Event, spots: Sequence[Spot | None]) -> int | None:
    for position, (array, spot) in enumerate(zip(event.operands, spots, strict=True)):
        unseen = event.makers[position] is None
        if unseen and spot is not None and spot.kind != "alone" and not same(*spot.sides(array)):
            return position
    return None


def _remarks(
    case: Case,
    event: Event,
    finding: Finding,
    spots: Sequence[Spot | None],
    origin: int | None,
) -> list[str]:
    """Say where an operand comes from that belongs to the story."""
    remarks = []
    for position in _foreign(finding, event, spots):
        maker = event.makers[position]
        if maker is not None and maker != origin:
            remarks.append(f"operand {position + 1} was made by {_at(case.own[maker])}")
    if origin is not None:
        remarks.append(f"the units first differ in {_at(case.own[event.number])}")
    elif finding.key[1] < len(event.call.written):
        for position, maker in enumerate(event.makers):
            if position not in event.call.written and maker is not None:
                remarks.append(f"what it writes was made by {_at(case.own[maker])}")
    return remarks


def _at(seen: Seen) -> str:
    return f"{seen.name} ({seen.place})" if seen.place.file else seen.name


def _repeated(event: Event, finding: Finding) -> list[str]:
    """Do the operation again on the same operands, and say what came of it."""
    operands = [array.copy(order="K") for array in event.operands]
    try:
        results = event.call.perform(operands)
    except Exception as error:  # whatever a library raises
        return [f"repeated alone: it raises {type(error).__name__}"]
    brought = [*(operands[p] for p in event.call.written), *results]
    if event.fresh != len(brought) or finding.key[1] >= len(brought):
        return []  # it writes without saying so
    before, after, spot = event.arrays[finding.key[1]], brought[finding.key[1]], finding.spot
    if spot.kind == "alone":
        again = "the same result" if same(before, after) else "another result"
        return [f"repeated alone: {again}"]
    if before.shape != after.shape or same(*spot.sides(after)):
        return ["repeated alone: the result is equal for equal units"]
    if same(before, after):
        return ["repeated alone: the same unequal result"]
    return ["repeated alone: an unequal result again, with other numbers"]
