"""One cause of many verdicts: a step that ignores its weights, or computes no numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symmetry.checker.case import Case
from symmetry.checker.recipes import problem
from symmetry.checker.verdict import Verdict
from symmetry.targets.trainer import Result, Trainer, TrainerError
from symmetry.units.state import State, finite, identical

_CASE = Case(8, 3, 4, 3, 0.1, 1, "float32", "unit", "scaled", 0)


def diagnose(trainer: Trainer, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return what is wrong with the step as a whole, in lines; none where its verdicts are good.

    Two steps from common numbers show it: 8 samples from 0 to 1, the same ones from other weights.
    """
    dtypes = dict.fromkeys(v.dtype for v in verdicts if v.kind in ("violated", "vacuous"))
    return tuple(dict.fromkeys(text for dtype in dtypes for text in _wrong(trainer, dtype)))


def _wrong(trainer: Trainer, dtype: str) -> tuple[str, ...]:
    case = replace(_CASE, dtype=dtype)
    start, other = problem(case), problem(replace(case, seed=1))
    before = {"w1": start.w1, "w2": start.w2}
    try:
        run, other_run = trainer.start(), trainer.start()
        after = _weights(run(start.x, start.y, start.w1, start.w2, start.lr))
        other_after = _weights(other_run(start.x, start.y, other.w1, other.w2, start.lr))
    except TrainerError:
        return ()
    if not finite(after):
        return ("the first step gives NaN or infinity, even from numbers of order 1",)
    if identical(after, other_after):
        return ("the step ignores w1 and w2: from other weights it returns the same ones",)
    if identical(after, before):
        return ("the step returns w1 and w2 as they came",)
    return ()


def _weights(result: Result) -> State:
    return {"w1": result.w1, "w2": result.w2}
