"""Which call of the code under test is running: asked by those who wait for its end.

A call is what a target does between two looks of ours at what it has done: taking one step, making
an instance. Whoever watches from outside sees with it whether one call goes on for too long.
"""

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

_seen: set[Hashable] = set()


class Running:
    """What is running in this process."""

    calls = 0  # that have returned
    inside = False  # whether one is running
    first = False  # whether the one that is running is the first of its kind: it may compile
    loading = False  # whether it loads the target: it may import a framework
    # Of a script: how often it was begun, the step that its last run takes, and the seconds that a
    # run needs before its first step.
    run = step = 0
    setup = 0.0


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
