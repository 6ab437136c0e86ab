"""The updates of a script without an optimiser, seen by what they change.

Example: a loop that forgets to clear the gradients.

    loss.backward()              its leaves: parameters of modules, and others that two backwards
                                 have reached. Inputs that require gradients are made anew each time
    for p in params:             has_updated: leaves hold other numbers than behind the backward. It
        p.data -= 0.1 * p.grad   is asked before a module is called, before gradients are cleared,
                                 and before the next backward
    loss.backward()              adds to gradients that the update has used
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.torch.script.epochs.log import digest_of


class ByHand:
    """Stands for the optimiser that a script does not have.

    Attributes
    ----------
    param_groups, state
        As optimisers have them: one group with the leaves, and no state.
    asked
        The line of the last backward.
    """

    def __init__(self) -> None:
        self._leaves: list[Tensor] = []
        self.param_groups: list[dict[str, Any]] = [{"params": self._leaves}]
        self.state: dict[Tensor, Any] = {}
        self._once: list[Tensor] = []  # leaves of the last backward that may be inputs
        self.asked = NOWHERE
        self._digests: list[str] | None = None  # behind a backward that no update has followed

    def see_backward(self, leaves: Iterable[Tensor], at: SourceLine) -> None:
        """See the leaves that a backward has given gradients to, and its line."""
        held, before = {id(p) for p in self._leaves}, {id(p) for p in self._once}
        fresh = [p for p in leaves if id(p) not in held]
        self._leaves += [p for p in fresh if isinstance(p, nn.Parameter) or id(p) in before]
        self._once, self.asked = fresh, at
        self._digests = self._now()

    def has_updated(self) -> bool:
        """Return whether the leaves are others than behind the last backward, the first time."""
        if self._digests is None or self._digests == self._now():
            return False
        self._digests = None
        return True

    def _now(self) -> list[str]:
        return [digest_of(leaf.detach()) for leaf in self._leaves]
