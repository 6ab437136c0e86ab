"""Tasks of a list that forks of this process do ahead, the last ones first.

    ahead = Ahead(do, forks=1)
    ahead.begin([0, 1, 2, 3])   a fork does task 3, then 2, 1 and 0: those that are free by then
    ahead.result(0)             None: no fork does task 0, so it is this process's now
    ahead.result(1)             waits for the fork, if it has begun with task 1

The process that does a task has locked its byte of a file, and the system ends a lock with its
process. So a task that a fork leaves undone is free again, and forks can only save time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from symmetry.base.fork import BETWEEN, Fork, ForkError

Result = TypeVar("Result")
_LEAST = 4  # tasks that are worth a fork


class Ahead(Generic[Result]):
    """The tasks, by number, and the forks that do some of them.

    Parameters
    ----------
    do
        Does tasks in a fork: yields each with its result, or with None to leave it to this process.
    forks
        How many there are at a time.
    """

    def __init__(
        self, do: Callable[[Iterator[int]], Iterator[tuple[int, Result | None]]], forks: int
    ) -> None:
        self._do, self._most = do, forks
        self._locks = os.memfd_create("symmetry") if forks else -1
        self._forks: list[Fork[tuple[int, Result | None]]] = []
        self._results: dict[int, Result | None] = {}

    def begin(self, tasks: Sequence[int]) -> None:
        """Let forks begin with these, if there are fewer than there may be."""
        self._look(0)
        left = [task for task in tasks if task not in self._results]
        while len(left) >= _LEAST and len(self._forks) < self._most:
            try:
                self._forks.append(Fork(lambda: self._done(left), beside=True))
            except ForkError:
                self._most = 0

    def result(self, task: int) -> Result | None:
        """Return what a fork has found; None if this process is to do the task."""
        self._look(0)
        while task not in self._results and not self._locked(task):
            self._look(BETWEEN)
        return self._results.get(task)

    def close(self) -> None:
        """End the forks."""
        for fork in self._forks:
            fork.close()
        if self._locks >= 0:
            os.close(self._locks)
        self._forks, self._locks, self._most = [], -1, 0

    def _done(self, tasks: Sequence[int]) -> Iterator[tuple[int, Result | None]]:
        """Do the tasks that are free, in a fork."""
        return self._do(filter(self._locked, reversed(tasks)))

    def _look(self, seconds: float) -> None:
        """Take the results that come within some seconds; forget the forks that end."""
        for fork in [*self._forks]:
            try:
                while found := fork.look(seconds):
                    self._results.update(found)
                    seconds = 0.0
            except ForkError:
                fork.close()
                self._forks.remove(fork)
                if not fork.ended:
                    self._most = 0

    def _locked(self, task: int) -> bool:
        """Return whether this process has the task now, and no other one."""
        if self._locks < 0:
            return True
        import fcntl  # not on Windows

        with suppress(OSError):
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, task)
            return True
        return False
