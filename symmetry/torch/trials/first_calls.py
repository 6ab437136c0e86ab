"""The first call of each module in a step, and calling it once more where the first loss is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from symmetry.base.errors import TrainingError
from symmetry.base.randomness import generators
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.modes.dtypes import MixedDtypes
from symmetry.torch.raising import StepEnded
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls, copied
from symmetry.training.capabilities.step_events import StepEvents

_MOST = 8  # modules: a model that is called layer by layer may have many


@dataclass(frozen=True)
class FirstCall:
    """The first outermost call of a module."""

    number: int  # that of the call among all outermost ones, from 0
    module: nn.Module
    arguments: Any  # its ``(args, kwargs)``
    place: SourceLine  # the user's line that calls it
    output: Any = None  # its result

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    def again(self, arguments: Any = None, *, seed: int = 0) -> Any:
        """Call the module once more, with other arguments if any are given."""
        args, kwargs = copied(self.arguments if arguments is None else arguments)
        generators.seed_all(seed)
        return self.module(*args, **kwargs)


@dataclass(frozen=True)
class RunParts:
    """The parts of a run that a trial needs."""

    model: nn.Module  # the model that it trains
    events: StepEvents  # the events of its steps
    # Enters the modes that every operation of a step passes through.
    modes: Callable[[], AbstractContextManager[None]]
    step: Callable[[], None]  # takes the next step


Use = Callable[[list[FirstCall], Tensor], None]


def at_first_loss(run: RunParts, use: Use, *, begins: Callable[[], None] = lambda: None) -> None:
    """Take the next step up to its first loss, and there use it and the modules' first calls.

    There a script finds what is its own. The step ends: what was called has left traces. Before
    each outermost call ``begins`` is called. The step may fail as it ends: trainers tidy up.
    """
    calls: list[FirstCall] = []
    used = False

    def after(call: ModuleCall, output: Any) -> None:
        if len(calls) < _MOST and not any(call.module is known.module for known in calls):
            arguments = call.args, call.kwargs
            calls.append(FirstCall(call.number, call.module, arguments, users_line(), output))

    def first_loss(loss: Tensor) -> None:
        nonlocal used
        watched.close()
        with MixedDtypes():  # it may be called where PyTorch has left this mode
            use(calls, loss)
        used = True
        raise StepEnded

    hooks = ModuleCalls(run.model, before=lambda _: begins(), after=after)
    with run.events.listening(on_loss=first_loss), ExitStack() as watched:
        watched.enter_context(hooks.hooked())
        try:
            run.step()
        except TrainingError:
            if not used:
                raise
