"""One cause of many verdicts: a step that draws, ignores its weights, or computes no numbers."""

from collections.abc import Sequence
from dataclasses import replace

from symmetry.base.errors import TargetError
from symmetry.checker.verdict import Verdict
from symmetry.law.statements import REPEATABLE
from symmetry.steps.cases.recipes import COMMON, make_start
from symmetry.steps.step import TwoLayerStep
from symmetry.units.state import finite, identical


def diagnose(target: TwoLayerStep, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return what is wrong with the step as a whole, in lines; none where its verdicts are good.

    Two steps from common numbers show it: 8 samples from 0 to 1, the same ones from other weights.
    Where runs do not repeat themselves, a third one is observed for random numbers.
    """
    dtypes = dict.fromkeys(v.dtype for v in verdicts if v.kind in ("violated", "vacuous"))
    texts = [text for dtype in dtypes for text in _wrong(target, dtype)]
    if any(v.invariant == REPEATABLE.name and v.kind == "violated" for v in verdicts):
        texts += _draws(target, next(iter(dtypes)))
    return tuple(dict.fromkeys(texts))


def _wrong(target: TwoLayerStep, dtype: str) -> tuple[str, ...]:
    case = replace(COMMON, dtype=dtype)
    start, other = replace(make_start(case), target=target), make_start(replace(case, seed=1))
    try:
        after, other_after = start.step(), start.at({"w1": other.w1, "w2": other.w2}).step()
    except TargetError:
        return ()
    if not finite(after):
        return ("the first step gives NaN or infinity, even from numbers of order 1",)
    if identical(after, other_after):
        return ("the step ignores w1 and w2: from other weights it returns the same ones",)
    if identical(after, start.state):
        return ("the step returns w1 and w2 as they came",)
    return ()


def _draws(target: TwoLayerStep, dtype: str) -> list[str]:
    """Say which operations of a step draw random numbers, and where."""
    from symmetry.observe.source_line import SourceLines
    from symmetry.observe.tape import Event, Tape
    from symmetry.steps.observe.running import observing

    start = make_start(replace(COMMON, dtype=dtype))
    arguments = start.x, start.y, start.w1, start.w2, start.lr
    texts: dict[str, None] = {}

    def note(event: Event) -> None:
        call = event.call
        if call.random:
            where = str(call.place) or "code that is in no file"
            texts[f"{call.name} draws random numbers in each step: {where}"] = None

    try:
        run = target.start()
        run(*arguments)  # it may compile
        with observing(Tape(note), target.target, SourceLines()):
            run(*arguments)
    except TargetError:
        pass
    return list(texts)
