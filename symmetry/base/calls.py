"""Which call of the code under test is running, so that one that never returns can be ended.

A call is one thing that a target is asked to do: to take a step, or to make an instance. Another
thread reports it to the parent process, which ends a call that goes on for too long.
"""

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

_seen: set[Hashable] = set()


class Running:
    """What is running in this process.

    Attributes
    ----------
    calls
        How many have returned.
    inside
        Whether one is running.
    first
        Whether the one that is running is the first of its kind: it may compile.
    loading
        Whether it loads the target: it may import a framework.
    run, step
        Of a training: how often it was begun, and the step that its last run takes.
    took
        The seconds that its last step took.
    setup
        The seconds that a run of a script needs before its first step.
    """

    calls = 0
    inside = False
    first = False
    loading = False
    run = step = 0
    took = setup = 0.0


running = Running()


@contextmanager
def calling(*kind: Hashable, counts: bool = True) -> Iterator[None]:
    """Say that the block is a call of this kind; shapes, for instance, for which it may compile.

    Loading a target does not count: a target that has been loaded may still never do anything.
    """
    process = os.getpid()
    running.first = kind not in _seen
    running.loading = not counts
    running.inside = True
    try:
        yield
    finally:
        if os.getpid() != process:  # the call has forked, and came back twice: once is enough
            os._exit(1)
        running.inside = False
        running.calls += counts
        _seen.add(kind)
