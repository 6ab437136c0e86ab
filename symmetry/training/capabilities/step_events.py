"""``StepEvents``: the losses, backwards and updates of steps, as they happen."""

from collections.abc import Callable
from typing import Any


class StepEvents:
    """Counts the events of steps, and calls listeners.

    A framework's subclass counts and calls; whoever takes the steps replaces the callables.

    Parameters
    ----------
    part
        Which part of the user's own step these steps are, in words; empty if they are all of it.

    Attributes
    ----------
    backwards, grads
        How often the last step computed gradients of parameters: kept ones, and returned ones.
    updates, pending
        How often optimisers stepped, and whether gradients have come since.
    on_loss
        Called with each loss before its backward. An exception that it raises ends the step.
    after_backward
        Called after each backward: the gradients are there, and not used yet.
    before_update, after_update
        Called with an ``Optimizer`` just before and after its step.
    """

    def __init__(self, part: str = "") -> None:
        self.part = part
        self.backwards = self.grads = self.updates = 0
        self.pending = False
        self.on_loss: Callable[[Any], None] = lambda _: None
        self.after_backward: Callable[[], None] = lambda: None
        self.before_update: Callable[[Any], None] = lambda _: None
        self.after_update: Callable[[Any], None] = lambda _: None
