"""The first call of each module in a step, and calling it once more where the first loss is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from symmetry.base.errors import TrainingError
from symmetry.base.randomness import generators
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.modes.dtypes import MixedDtypes
from symmetry.torch.raising import StepEnded
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls, copied
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.step_events import StepEvents

_MOST = 8  # modules: a model that is called layer by layer may have many


@dataclass(frozen=True)
class FirstCall:
    """The first outermost call of a module."""

    number: int  # the number of the call among all outermost ones, from 0
    module: nn.Module
    arguments: Any  # its ``(args, kwargs)``
    place: SourceLine  # the user's line that calls it
    output: Any = None  # its result

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    def again(self, arguments: Any = None, *, seed: int = 0) -> Any:
        """Call the module once more, with other arguments if any are given.

        Afterwards it holds what it held before: a queue of keys, an average, or a hidden state that
        a forward moves would act on the next call.
        """
        args, kwargs = copied(self.arguments if arguments is None else arguments)
        generators.seed_all(seed)
        with _kept(self.module):
            return self.module(*args, **kwargs)


@contextmanager
def _kept(module: nn.Module) -> Iterator[None]:
    """Give a module back its attributes, and the numbers of its tensors that are not trained."""
    held = [own for layer in module.modules() for own in (vars(layer), *vars(layer).values())]
    attributes = [(own, own.copy()) for own in held if type(own) is dict]
    tensors = [t for t in tensors_in([before for _, before in attributes]) if not t.requires_grad]
    with _disable_current_modes():  # it is no operation of the module
        numbers = [(tensor, tensor.detach().clone()) for tensor in tensors]
    try:
        yield
    finally:
        for own, before in attributes:
            own.clear()
            own.update(before)
        for tensor, number in numbers:
            tensor.data = number


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
        promoted = loss.dtype is torch.float64
        # It may be called where PyTorch has left this mode.
        with MixedDtypes() if promoted else nullcontext():
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
