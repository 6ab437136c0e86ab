"""One run of a function's training, with its ``evaluate`` between the steps.

Example: a training that returns ``(model, step, {"evaluate": evaluate})``.

    step(0)       the events of a step: Called, Backward, Updated
    evaluate()    the events of its calls; then Evaluated, which names all that it has changed
    step(1)       its parameters are compared with those after step(1) of a run without evaluate()
    evaluate()
    step(2)       compared again

The run without it is taken first. Random numbers that ``evaluate`` draws are put back: each real
evaluation draws some.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from symmetry.base.calls import calling
from symmetry.base.errors import TrainingError
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.torch.begin import begin
from symmetry.torch.objects import generators_in
from symmetry.torch.raising import readable
from symmetry.torch.run import TorchRun
from symmetry.torch.script.epochs.log import Log
from symmetry.torch.script.epochs.recorder import EpochRecorder
from symmetry.training.events import Epochs, Evaluated
from symmetry.training.run import RunSettings
from symmetry.units.state import State, identical

_STEPS = 3
_SECONDS = 30.0  # CPU seconds; events that come later are left out


def run_function(
    name: str,
    make: Callable[[], Any],
    seed: int = 0,
    draw: int | None = None,
    steps: int | None = None,
) -> Epochs | None:
    """Take some steps with ``evaluate`` between them; None if the training has no ``evaluate``.

    With a ``draw`` they begin from parameters close by. If a number of ``steps`` is given, these
    are taken, also without ``evaluate``, and end where one raises after the first.

    Raises
    ------
    TrainingError
        If it raises.
    """
    with silenced():
        if steps is not None:
            return _steps(name, make, seed, draw, steps)
        states = _without(name, make, seed)
        if states is None:
            return None
        log = Log(lambda: None, _SECONDS)
        recorder = EpochRecorder(log, None, seed, draw)
        disturbed = ""
        with recorder.watching():
            run = begin(name, make, RunSettings(seed=seed))
            for state in states:
                run.step()
                disturbed = disturbed or _difference(state, _trained(run))
                _evaluate(run, log)
        if disturbed and any(map(_difference, states, _without(name, make, seed) or [])):
            disturbed = ""  # it does not even repeat itself
        return replace(
            recorder.record(name, f"after {_STEPS} steps"), disturbed=disturbed, is_function=True
        )


def _steps(name: str, make: Callable[[], Any], seed: int, draw: int | None, steps: int) -> Epochs:
    """Return the record of these steps; it ends before the first step that raises."""
    log = Log(lambda: None, _SECONDS)
    recorder = EpochRecorder(log, None, seed, draw)
    ended = f"after {steps} steps"
    with recorder.watching():
        run = begin(name, make, RunSettings(seed=seed))
        for number in range(steps):
            try:
                run.step()
            except TrainingError as error:  # its batches may be a list
                if not number:
                    raise
                ended = f"step {number + 1} raised an error: {error}"
                break
            if run.objects.evaluate is not None:
                _evaluate(run, log)
    return replace(recorder.record(name, log.ended or ended), is_function=True)


def _without(name: str, make: Callable[[], Any], seed: int) -> list[State] | None:
    """Return what is trained after each step of a run without ``evaluate``; None if it has none."""
    run = begin(name, make, RunSettings(seed=seed))
    if run.objects.evaluate is None:
        return None
    states = []
    for _ in range(_STEPS):
        run.step()
        states.append(_trained(run))
    return states


def _trained(run: TorchRun) -> State:
    return {name: array for name, array in run.parameter_arrays().items() if name in run.trained}


def _difference(one: State, other: State) -> str:
    """Return the name of the first array whose bits differ; nothing if none does."""
    return next((n for n in one if n not in other or not identical({n: one[n]}, other)), "")


def _evaluate(run: TorchRun, log: Log) -> None:
    """Call ``evaluate``; log all that it has changed."""
    evaluate = run.objects.evaluate
    assert evaluate is not None
    drawing = [*generators.shared(), *generators_in([evaluate, run.objects.step])]
    before, first = _all(run), len(log.events)
    with generators.kept(drawing), readable("evaluate()"), calling("evaluate", run.name):
        evaluate()
    after = _all(run)
    changed = tuple(n for n in before | after if not _same(before.get(n), after.get(n)))
    log.add(Evaluated, _defined(evaluate), first=first, changed=changed)


def _all(run: TorchRun) -> dict[str, Any]:
    """Return everything that an evaluation leaves alone: the state, gradients and modes."""
    gradients = {n: p.grad for n, p in run.parameters.items() if p.grad is not None}
    modes = {n: m.training for n, m in run.objects.model.named_modules()}
    return {
        **run.state(),
        **{f"the gradient of {n}": g.detach().cpu().clone().numpy() for n, g in gradients.items()},
        **{f"the mode of {n or 'the model'}": training for n, training in modes.items()},
    }


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or one is None or other is None:
        return one is other
    return identical({"": one}, {"": other})


def _defined(evaluate: Any) -> SourceLine:
    """Return the line of a function."""
    code = getattr(inspect.unwrap(getattr(evaluate, "func", evaluate)), "__code__", None)
    return NOWHERE if code is None else SourceLine(code.co_filename, code.co_firstlineno)
