"""Judging one training against the reference, in one precision: deviation by response."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from symmetry.comparison.outcome import DtypeResult
from symmetry.comparison.side import Side, apart
from symmetry.law.judge import LARGEST_RESPONSE, Ratios, judge, ratio, worst
from symmetry.training.observation import Observation, ObservedName
from symmetry.training.response import DRAWS, MORE_DRAWS, THRESHOLDS
from symmetry.units.state import State, identical

Deviations = list[dict[ObservedName, float]]  # by step
FAR_LIMITS = 1e6  # above this multiple of the limit, more draws change nothing


@dataclass(frozen=True)
class Judged:
    """The outcome of judging."""

    result: DtypeResult
    ratios: Ratios[ObservedName]


def judge_sides(
    reference: Side,
    other: Side,
    again: Iterable[tuple[Side, Side]] = (),
    most: int = MORE_DRAWS,
) -> Judged:
    """Divide the other side's deviations by the response; escalate before an accusation.

    The response is the larger one of both sides: the other may be less accurate by design. Its own
    is only asked for where the reference's does not explain a deviation, and more draws of both,
    ``most`` of them, only where that does not, either, and the deviation is not far beyond. An
    array that still deviates has to do so ``again``, from starts close by: rounding may push one
    number over a kink, but hardly ever there, too.
    """
    limit = THRESHOLDS[reference.dtype]
    deviations, ended = _deviations(reference, other)
    both = (reference, other)
    measures = (
        partial(_ratios, sides=sides, draws=draws)
        for sides, draws in (((reference,), DRAWS), (both, DRAWS), (both, most))
    )
    nearby = (_deviations(*pair)[0] for pair in again)
    ratios = judge(deviations, measures, limit, nearby, far=FAR_LIMITS)
    return Judged(_result(reference, ratios, ended), ratios)


def _deviations(reference: Side, other: Side) -> tuple[Deviations, str]:
    """Return how far each array deviates, by step, and why that ends too early if it does.

    The last step is the one after which all numbers are finite in both of them. Those that are not
    finite in one alone are at an infinite distance.
    """
    gaps: Deviations = []
    broken: list[tuple[str, str]] = []
    for a, b in zip(reference.kept, other.once(), strict=True):
        each = {key: apart(parts, b.parts.get(key)) for key, parts in a.parts.items()}
        gaps.append({key: gap for key, gap in each.items() if gap is not None})
        if not any(key.phase == "data" for key in gaps[-1]):  # another part of the batch
            gaps[-1] = {key: gap for key, gap in gaps[-1].items() if key.phase != "loss"}
        broken.append((_not_finite(a, reference.start), _not_finite(b, other.start)))
    gaps = _on_all_ranks(gaps, (reference, other))
    both = [number for number, names in enumerate(broken) if all(names)]
    if both:
        why = (
            f"after step {both[0] + 1} both have numbers that are not finite ({broken[both[0]][0]})"
        )
        return gaps[: both[0]], why
    return gaps, ""


def _not_finite(shown: Observation, start: State) -> str:
    """Return the first array of the state that is no longer finite."""
    for name, array in shown.state.items():
        if not np.isfinite(array).all() and np.isfinite(start.get(name, 0.0)).all():
            return name
    return "" if shown.loss is None or math.isfinite(shown.loss) else "the loss"


def _ratios(deviations: Deviations, sides: Sequence[Side], draws: int) -> Ratios[ObservedName]:
    """Return deviation by response of what can be judged: rounding moves it by less than 1 %."""
    known = [(side.response(draws), side.scale) for side in sides]
    found: Ratios[ObservedName] = []
    for step, gaps in enumerate(deviations):
        ratios: dict[ObservedName, float] = {}
        for key, gap in gaps.items():
            pairs = [
                (response[step].get(key, 0.0), scale[step].get(key, 0.0))
                for response, scale in known
            ]
            if gap == math.inf or all(moved <= LARGEST_RESPONSE * size for moved, size in pairs):
                ratios[key] = ratio(gap, max(moved for moved, _ in pairs))
        found.append(ratios)
    return _on_all_ranks(found, sides)


def _on_all_ranks(
    mine: list[dict[ObservedName, float]], sides: Sequence[Side]
) -> list[dict[ObservedName, float]]:
    """Return by step and key the largest number of all ranks: they have to decide the same."""
    gather = next((side.gather for side in sides if side.gather is not None), None)
    if gather is None:
        return mine
    everyone = gather(mine)
    return [
        {
            key: max(found[step][key] for found in everyone if key in found[step])
            for key in dict.fromkeys(key for found in everyone for key in found[step])
        }
        for step in range(len(mine))
    ]


def _result(reference: Side, ratios: Ratios[ObservedName], ended: str) -> DtypeResult:
    limit = THRESHOLDS[reference.dtype]
    state = [{k.name: r for k, r in step.items() if k.phase == "update"} for step in ratios]
    judged = sum(map(bool, state))  # steps
    stopped = "the training is chaotic, rounding moves all arrays by 1 %"
    if not judged or not _has_moved(reference):
        why = ended or (stopped if not judged else "nothing moves")
        return DtypeResult(reference.dtype, None, None, None, limit, note=f"cannot judge: {why}")
    note = ended or (f"from step {judged + 1} on {stopped}" * (judged < len(ratios)))
    step, name = worst(state, limit)
    arrays = len({name for each in state for name in each})
    where = (reference.dtype, step + 1, name, state[step][name], limit)
    return DtypeResult(*where, arrays, judged, note)


def _has_moved(reference: Side) -> bool:
    last = reference.kept[-1].state
    return not identical({n: a for n, a in reference.start.items() if n in last}, last)
