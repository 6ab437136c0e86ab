"""``StepEvents``: the losses, backwards and updates of steps, as they happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack


class Listeners(TypedDict, total=False):
    """Functions that are called at events of steps, by event."""

    on_loss: Callable[[Any], None]  # with each loss, before its backward; raising ends the step
    after_backward: Callable[[], None]  # the gradients are there, and not used yet
    before_update: Callable[[Any], None]  # with an ``Optimizer``, just before its step
    after_update: Callable[[Any], None]  # with an ``Optimizer``, just after its step


class StepEvents:
    """Counts the events of steps, and calls its listeners.

    A framework's subclass counts, and emits events.

    Parameters
    ----------
    part
        Which part of the user's own step these steps are, in words; empty if they are all of it.
    """

    def __init__(self, part: str = "") -> None:
        self.part = part
        # How often the last step computed gradients of parameters: kept ones, and returned ones.
        self.backwards = self.grads = 0
        self.updates = 0  # how often optimisers stepped
        self.pending = False  # whether gradients have come since the last update
        self._listening: list[Listeners] = []

    @contextmanager
    def listening(self, **listeners: Unpack[Listeners]) -> Iterator[None]:
        """Call functions at events while the block runs, after those that came before."""
        self._listening.append(listeners)
        try:
            yield
        finally:
            self._listening = [each for each in self._listening if each is not listeners]

    def emit(self, event: str, *arguments: Any) -> None:
        """Call the listeners of an event, a name in ``Listeners``."""
        for listeners in [*self._listening]:
            if (listener := listeners.get(event)) is not None:
                listener(*arguments)  # type: ignore[operator]
