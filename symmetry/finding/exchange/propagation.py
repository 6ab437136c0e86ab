"""An exchange on its way through a trace, node by node."""

from symmetry.finding.exchange.actions import Action, Actions
from symmetry.training.trace import Trace


class Propagation:
    """The actions that values carry so far, and the nodes that have yet to take them.

    Attributes
    ----------
    actions
        By value, for all values that have one.
    """

    def __init__(self, trace: Trace, leaves: Actions) -> None:
        self.actions: Actions = {}
        self._trace = trace
        self._waiting: set[int] = set()
        self.put(leaves)

    def put(self, values: Actions) -> None:
        """Let values carry actions; the nodes that use them wait if that is new."""
        for i, action in values.items():
            if self.actions.get(i, ()) != action:
                self.actions[i] = action
                self._waiting.update(self._trace.users.get(i, ()))

    def next_node(self) -> int | None:
        """Return the first node that waits, which then waits no longer; None if no node waits."""
        if not self._waiting:
            return None
        k = min(self._waiting)
        self._waiting.remove(k)
        return k

    def repeat(self, k: int) -> None:
        """Let a node wait once more."""
        self._waiting.add(k)

    def input_actions(self, k: int) -> tuple[Action, ...]:
        """Return the actions of a node's inputs."""
        return tuple(self.actions.get(i, ()) for i in self._trace.nodes[k].inputs)
