"""The first call of each module in a step, and calling it once more where the first loss is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from symmetry.base import generators
from symmetry.observe.place import Place, users_line
from symmetry.torch.hooks import StepEnded
from symmetry.torch.modes.mixed_dtypes import MixedDtypes
from symmetry.torch.probes.calls import Calls, ModuleCall, copied

_MOST = 8  # modules: a model that is called layer by layer may have many


@dataclass(frozen=True)
class FirstCall:
    """The first outermost call of a module.

    Attributes
    ----------
    module
        The module.
    given
        Its ``(args, kwargs)``.
    place
        The user's line that calls it.
    """

    module: nn.Module
    given: Any
    place: Place

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    def again(self, given: Any = None, *, seed: int = 0) -> Any:
        """Call the module once more, with other arguments if any are given."""
        args, kwargs = copied(self.given if given is None else given)
        generators.seed_all(seed)
        return self.module(*args, **kwargs)


class Steps(Protocol):
    """What a trial needs of a run."""

    on_loss: Callable[[Any], None]

    @property
    def model(self) -> nn.Module:
        """What it trains."""
        ...

    def modes(self) -> AbstractContextManager[None]:
        """Enter what every operation of a step passes through."""
        ...

    def step(self) -> None:
        """Take the next step."""
        ...


def at_first_loss(run: Steps, use: Callable[[list[FirstCall]], None]) -> None:
    """Take the next step up to its first loss, and there use the first calls of its modules.

    There a script finds what is its own. The step ends: what was called has left traces.
    """
    calls: list[FirstCall] = []

    def after(call: ModuleCall, _output: Any) -> None:
        if len(calls) < _MOST and not any(call.module is known.module for known in calls):
            calls.append(FirstCall(call.module, (call.args, call.kwargs), users_line()))

    with ExitStack() as stack:

        def first_loss(_loss: Any) -> None:
            stack.close()
            with MixedDtypes():  # it may be called where PyTorch has left this mode
                use(calls)
            raise StepEnded

        run.on_loss = first_loss
        stack.enter_context(Calls(run.model, after=after).hooked())
        with suppress(StepEnded):
            run.step()
