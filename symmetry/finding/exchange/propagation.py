"""An exchange on its way through a trace: its actions so far, the work left, and its ending."""

import math
from collections.abc import Iterable

from symmetry.finding.exchange.actions import Action, Actions
from symmetry.training.trace import Trace


class Propagation:
    """The actions that values carry so far, and the nodes that have yet to take them."""

    def __init__(self, trace: Trace, leaves: Actions) -> None:
        self.actions: Actions = {}  # by value, for all values that have one
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


_OPERATIONS = 200  # that one request may be pulled back through
_WORK = 2000  # such operations, and repairs that are tried, for one exchange


class ExchangeBudget:
    """Counts down the work of one exchange, and the operations of one of its requests."""

    def __init__(self) -> None:
        self.work = 0
        self.request = 0

    def begin_exchange(self) -> None:
        """Allow the work of one exchange."""
        self.work = _WORK

    def begin_request(self) -> None:
        """Allow the operations of one request: at most the work that is left."""
        self.request = min(_OPERATIONS, self.work)

    def spend_operation(self) -> bool:
        """Count one operation of a request; return whether the budget allows it."""
        self.request -= 1
        self.work -= 1
        return self.request >= 0

    def spend_repair(self) -> None:
        """Count one repair that is tried."""
        self.work -= 1


Solution = tuple[dict[str, Action], bool]  # by leaf; whether the step selects between the units


class Stuck(Exception):  # noqa: N818
    """An exchange cannot be completed."""

    def __init__(self, node: int | None = None, input_actions: tuple[Action, ...] = ()) -> None:
        super().__init__(node, input_actions)
        self.node = node  # the node that does not treat the units equally; None if it is not known
        self.input_actions = input_actions  # the actions of its inputs


class Endings:
    """Caches how exchanges ended, by the actions of the leaves at each repair.

    These actions alone decide how an exchange ends, whatever it began with. An exchange that used
    up its work might have ended otherwise with more: its ending holds for as much work or less.
    """

    def __init__(self) -> None:
        self._endings: dict[frozenset[tuple[int, Action]], tuple[Solution | Stuck, float]] = {}

    def find(self, leaves: Actions, work: int) -> Solution | None:
        """Return the solution of an exchange with these actions of leaves; None without a solution.

        Raises
        ------
        Stuck
            If such an exchange got stuck before.
        """
        ending, most = self._endings.get(frozenset(leaves.items()), (None, 0.0))
        if ending is None or work > most:
            return None
        if isinstance(ending, Stuck):
            raise ending
        return ending

    def add(
        self, repaired: Iterable[tuple[Actions, int]], ending: Solution | Stuck, work: int
    ) -> None:
        """Keep how an exchange ended for all its repairs: the leaves' actions and the work left.

        ``work`` was left in the end.
        """
        for leaves, before in repaired:
            self._endings[frozenset(leaves.items())] = ending, before if work <= 0 else math.inf
