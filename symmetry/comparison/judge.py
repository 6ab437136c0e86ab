"""Judging one training against the reference, in one precision: deviation by response."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmetry.base.ranks import world
from symmetry.comparison.outcome import Result
from symmetry.comparison.side import Side, apart
from symmetry.law.equivariance import ratio
from symmetry.training.shown import Key, Shown
from symmetry.training.start import DRAWS, MORE_DRAWS, POWER, THRESHOLDS
from symmetry.units.state import State, identical

Ratios = list[dict[Key, float]]  # by step, of what can be judged
FAR = 1e6  # times the limit: beyond it more draws of the response change nothing


@dataclass(frozen=True)
class Judged:
    """The outcome of judging."""

    result: Result
    ratios: Ratios


def judge(
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
    ratios: Ratios = []
    for draws, sides in (
        (DRAWS, (reference,)),
        (DRAWS, (reference, other)),
        (most, (reference, other)),
    ):
        ratios = _ratios(deviations, sides, draws)
        worst = max((r for step in ratios for r in step.values()), default=0.0)
        if worst <= limit:
            return Judged(_result(reference, ratios, ended), ratios)
        if len(sides) > 1 and FAR * limit < worst < math.inf:
            break
    for pair in again:
        nearby = _ratios(_deviations(*pair)[0], (reference, other), draws)
        ratios = [
            {key: min(ratio, near[key]) for key, ratio in each.items() if key in near}
            for each, near in zip(ratios, nearby, strict=False)
        ]
    return Judged(_result(reference, ratios, ended), ratios)


def _deviations(reference: Side, other: Side) -> tuple[list[dict[Key, float]], str]:
    """Return how far each array deviates, by step, and why that ends too early if it does.

    The last step is the one after which all numbers are finite in both of them. Those that are not
    finite in one alone are at an infinite distance.
    """
    gaps: list[dict[Key, float]] = []
    broken: list[tuple[str, str]] = []
    for a, b in zip(reference.kept, other.once(), strict=True):
        each = {key: apart(parts, b.parts.get(key)) for key, parts in a.parts.items()}
        gaps.append({key: gap for key, gap in each.items() if gap is not None})
        if not any(key.phase == "data" for key in gaps[-1]):  # another part of the batch
            gaps[-1] = {key: gap for key, gap in gaps[-1].items() if key.phase != "loss"}
        broken.append((_not_finite(a, reference.start), _not_finite(b, other.start)))
    gaps = _on_all_ranks(gaps)
    both = [number for number, names in enumerate(broken) if all(names)]
    if both:
        why = (
            f"after step {both[0] + 1} both have numbers that are not finite ({broken[both[0]][0]})"
        )
        return gaps[: both[0]], why
    return gaps, ""


def _not_finite(shown: Shown, start: State) -> str:
    """Return the first array of the state that is no longer finite."""
    for name, array in shown.state.items():
        if not np.isfinite(array).all() and np.isfinite(start.get(name, 0.0)).all():
            return name
    return "" if shown.loss is None or math.isfinite(shown.loss) else "the loss"


def _ratios(deviations: Sequence[Mapping[Key, float]], sides: Sequence[Side], draws: int) -> Ratios:
    """Return deviation by response of what can be judged: one ulp moves it by less than 1 %."""
    known = [(side.kept, side.response(draws), side.scale) for side in sides]
    found: Ratios = []
    for step, gaps in enumerate(deviations):
        ratios: dict[Key, float] = {}
        for key, gap in gaps.items():
            pairs = [
                (response[step].get(key, 0.0), scale[step].get(key, 0.0))
                for _, response, scale in known
            ]
            if gap == math.inf or all(moved <= POWER * size for moved, size in pairs):
                ratios[key] = ratio(gap, max(moved for moved, _ in pairs))
        found.append(ratios)
    return _on_all_ranks(found)


def _on_all_ranks(mine: list[dict[Key, float]]) -> list[dict[Key, float]]:
    """Return by step and key the largest number of all ranks: they have to decide the same."""
    if world() == 1:
        return mine
    from symmetry.torch.parts.replicas import gathered

    everyone: list[Any] = gathered(mine)
    return [
        {
            key: max(found[step][key] for found in everyone if key in found[step])
            for key in dict.fromkeys(key for found in everyone for key in found[step])
        }
        for step in range(len(mine))
    ]


def _result(reference: Side, ratios: Ratios, ended: str) -> Result:
    limit = THRESHOLDS[reference.dtype]
    state = {
        (step, key.name): value
        for step, found in enumerate(ratios, start=1)
        for key, value in found.items()
        if key.phase == "update"
    }
    steps = {step for step, _ in state}
    stopped = "one ulp in the parameters moves all arrays by 1 % and more"
    if not state or not _has_moved(reference):
        why = ended or (stopped if not state else "nothing moves")
        return Result(reference.dtype, None, None, None, limit, note=f"cannot judge: {why}")
    note = ended or (f"from step {len(steps) + 1} on {stopped}" * (len(steps) < len(ratios)))
    step, name = _worst(state, limit)
    arrays = len({name for _, name in state})
    return Result(reference.dtype, step, name, state[step, name], limit, arrays, len(steps), note)


def _worst(ratios: Mapping[tuple[int, str], float], limit: float) -> tuple[int, str]:
    """Return the step and the array of the largest ratio: of those above it, in the first step.

    What a reader knows by name says more than what an optimiser keeps for it.
    """
    over = [key for key, value in ratios.items() if value > limit]
    first = [key for key in over if key[0] == min(over)[0]]
    return max(first or ratios, key=lambda k: (k in over and k[1].startswith("model."), ratios[k]))


def _has_moved(reference: Side) -> bool:
    last = reference.kept[-1].state
    return not identical({n: a for n, a in reference.start.items() if n in last}, last)
