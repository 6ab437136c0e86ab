"""Losses of evaluations that two scripts compute in other pieces, or reduce in another way.

Example: one script evaluates 4 batches, and the other all samples at once.

    mse_loss (mean) 0.25, 0.25, 0.5, 0.5      one loss a batch: 8 entries each
    mse_loss (sum)  12                        one loss for all

Their calls cannot be compared one by one. Summed over all entries both are 12, so it is the same
loss; any other sum is a difference. Only losses that nothing differentiates are summed: how a
training reduces its loss is the script's own choice, which the updates judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from symmetry.comparison.epochs.segments import Segment, unlike
from symmetry.training.events import Measured, Updated
from symmetry.units.words import count

POOLED = "evaluation"  # the phase of losses that are pooled, of whichever functions

Kinds = Mapping[int, Collection[str]]  # kinds of losses, by how many updates came before


@dataclass(frozen=True, kw_only=True)
class Pooled(Measured):
    """The losses of an evaluation as one number; ``last`` is the last of them."""

    last: Measured


@dataclass(frozen=True)
class Pool:
    """The losses that are pooled in two runs, and in words the first ones."""

    mine: Kinds = field(default_factory=dict)
    theirs: Kinds = field(default_factory=dict)
    words: str = ""


def in_pieces(one: Sequence[Segment], other: Sequence[Segment], fitting: int) -> Pool:
    """Return the losses of evaluations that both runs computed, and not the same number of times.

    An evaluation is all between two updates, or between an update and the end of both runs.
    """
    mine: dict[int, set[str]] = {}
    theirs: dict[int, set[str]] = {}
    words = ""
    ends = fitting == len(one) == len(other)
    for update, places in _evaluations(one[:fitting], ends):
        left_out = {kind for n in places for kind in unlike(one[n], other[n])}
        losses = [_losses([run[n] for n in places], left_out) for run in (one, other)]
        if all(losses):
            mine[update], theirs[update] = ({each.name for each in found} for found in losses)
            words = words or _told(*losses)
    return Pool(mine, theirs, words)


def pooled(segments: Sequence[Segment], kinds: Kinds) -> list[Segment]:
    """Return the segments of a run; losses of these kinds become one number of each evaluation."""
    found = list(segments)
    for update, places in _evaluations(segments, ends=True):
        names = kinds.get(update, ())
        if losses := _losses([segments[n] for n in places], names):
            for n in places:
                rest = [each for each in segments[n].measured if each.name not in names]
                found[n] = replace(segments[n], measured=rest)
            found[places[-1]].measured.append(_one(losses))
    return found


def _evaluations(segments: Sequence[Segment], ends: bool) -> Iterator[tuple[int, list[int]]]:
    """Yield by number of updates which segments come before the next one; the last if it ends."""
    places: dict[int, list[int]] = {}
    update = 0
    for number, segment in enumerate(segments):
        update += isinstance(segment.anchor, Updated)
        places.setdefault(update, []).append(number)
    for number, found in places.items():
        if ends or number != update:
            yield number, found


def _losses(segments: Sequence[Segment], kinds: Collection[str]) -> list[Measured]:
    """Return the losses of these kinds that can be summed over their entries."""
    measured = [each for segment in segments for each in segment.measured]
    return [each for each in measured if each.name in kinds and each.total is not None]


def _one(losses: Sequence[Measured]) -> Pooled:
    facts = {f.name: getattr(losses[-1], f.name) for f in fields(Measured)}
    names = dict.fromkeys(each.name.partition(" ")[0] for each in losses)
    name = f"{', '.join(names)} over all entries"
    total = sum(each.total for each in losses if each.total is not None)
    facts |= {"phase": POOLED, "name": name, "values": (total,), "total": total}
    return Pooled(**facts, last=losses[-1])


def _told(mine: Sequence[Measured], theirs: Sequence[Measured]) -> str:
    """Return in words how both compute the same loss."""
    texts = [
        f"{each[0].at} computes {each[0].name} {count(len(each), 'time')} in an evaluation"
        f"{', at first ' + format(each[0].values[0], '.4g') if len(each[0].values) == 1 else ''}"
        for each in (theirs, mine)
    ]
    return f"{texts[0]}, {texts[1]} in the reference: compared as sums over all entries"
