"""A tape that keeps the calls that it is told of."""

from __future__ import annotations

from symmetry.observe.call import Call
from symmetry.observe.source_line import SourceLines
from symmetry.steps.observe.numpy import observing


class Tape:
    """Keeps the calls that it is told of."""

    def __init__(self):
        self.events: list[Call] = []

    def skips(self):
        return False

    def before(self, call):
        self.events.append(call)

    def after(self, call, written, results):
        return {}


def reporting_to(tape):
    return observing(tape, SourceLines())
