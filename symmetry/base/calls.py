"""Which call of the code under test is running, so that one that never returns can be ended.

A call is one action of a target: to take a step, or to make an instance. Another
thread reports it to the parent process, which ends a call that goes on for too long.
"""

import math
import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, Protocol

from symmetry.base.errors import BudgetSpent
from symmetry.base.processes import cpu_seconds

_seen: set[Hashable] = set()


class Running:
    """The calls of user code in this process: finished, and running."""

    calls = 0  # how many have returned
    inside = False  # whether one is running
    first = False  # whether the one that is running is the first of its kind: it may compile
    loading = False  # whether it loads the target: it may import a framework
    run = 0  # how often a training was begun
    beside = 0  # the same, in forks that work beside this process
    step = 0  # that its last run takes
    spent = 0.0  # seconds that all its runs took, but for the imports of a script's first one
    setup = 0.0  # seconds that a run of a script needs before its first step
    # How often a script has called a model without gradients, in all its runs, the seconds that
    # this took, and ``file:line`` of the first such call.
    evaluations = 0
    evaluated = 0.0
    evaluates = ""
    device = ""  # in place of which a script runs on the CPU; empty if it runs as it is
    # Called when a call begins, and when it has returned; None leaves that out.
    listener: Callable[[], None] | None = None
    # The CPU seconds of this process and its children after which no call begins.
    limit = math.inf

    @property
    def used(self) -> float:
        """The CPU seconds of this process and its children so far."""
        return cpu_seconds()

    def refuse_beyond_limit(self) -> None:
        """Raise ``BudgetSpent`` if the CPU seconds that calls may take are used."""
        if self.limit < math.inf and self.used >= self.limit:
            raise BudgetSpent

    def report(self) -> None:
        """Call the listener, if there is one."""
        if self.listener is not None:
            self.listener()

    @property
    def counts(self) -> Mapping[str, object]:
        """All that is known of the calls, to be shown in another process."""
        own = "listener", "limit"
        return {name: value for name, value in vars(self).items() if name not in own}

    @property
    def pace(self) -> "Pace":
        """The progress of the training, and the seconds of its calls."""
        return Pace(*(getattr(self, name) for name in Pace._fields))


class Pace(NamedTuple):
    """The progress of a training and the seconds of its calls: see ``Running``."""

    run: int
    step: int
    spent: float
    setup: float = 0.0
    evaluations: int = 0
    evaluated: float = 0.0
    evaluates: str = ""
    used: float = 0.0
    limit: float = math.inf
    beside: int = 0
    device: str = ""


class Surroundings(Protocol):
    """The context of each call of a target, such as a mirror of its folder."""

    def __call__(self) -> AbstractContextManager[None]:
        """Return a context for one call."""

    def remove(self) -> None:
        """Remove its files."""


running = Running()
surroundings: dict[str, Surroundings] = {}  # by the name of the target


def leave_surroundings() -> None:
    """Remove the surroundings of all targets: a command has ended."""
    while surroundings:
        surroundings.popitem()[1].remove()


@contextmanager
def calling(*kind: Hashable, counts: bool = True) -> Iterator[None]:
    """Mark the block as a call of user code; calls of one ``kind`` share what they compile.

    If the kind has the name of a target with ``surroundings``, the block runs in them.
    Loading a target does not count: a target that has been loaded may still never do anything.

    Raises
    ------
    BudgetSpent
        If the call counts, and there are no CPU seconds left for it.
    """
    if counts:
        running.refuse_beyond_limit()
    process = os.getpid()
    running.first = kind not in _seen
    running.loading = not counts
    running.inside = True
    running.report()
    names = (each.partition(" ")[0] for each in kind if isinstance(each, str))
    around = next((surroundings[name] for name in names if name in surroundings), nullcontext)
    try:
        with around():
            yield
    finally:
        if os.getpid() != process:  # the call has forked, and came back twice: once is enough
            os._exit(1)
        running.inside = False
        running.calls += counts
        _seen.add(kind)
        running.report()
