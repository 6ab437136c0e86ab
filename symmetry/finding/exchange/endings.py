"""How exchanges ended: with actions of the leaves, or stuck at a node."""

import math
from collections.abc import Iterable

from symmetry.finding.exchange.actions import Action, Actions

Solution = tuple[dict[str, Action], bool]  # by leaf; whether the step selects between the units


class Stuck(Exception):  # noqa: N818
    """An exchange cannot be completed.

    Attributes
    ----------
    node
        The node that does not treat the units equally; None if it is not known.
    input_actions
        The actions of its inputs.
    """

    def __init__(self, node: int | None = None, input_actions: tuple[Action, ...] = ()) -> None:
        super().__init__(node, input_actions)
        self.node = node
        self.input_actions = input_actions


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
