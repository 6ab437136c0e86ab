"""The events that a tape makes of operations."""

from __future__ import annotations

import numpy as np

from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe.numpy import observed, observing


def recorded(function, **options):
    """Return the events of a function of one array, with copies of their arrays, and its result."""
    events = []

    def sink(event):
        events.append((event, [array.copy() for array in event.arrays]))

    tape = Tape(sink, **options)
    with observing(tape, SourceLines()):
        result = function(observed(np.arange(4.0)))
    return events, result


def two_steps(x):
    doubled = x * 2
    doubled[1:3] += 1
    return doubled.sum()


def test_an_event_knows_what_made_its_operands():
    events, _ = recorded(two_steps)
    assert [event.call.name for event, _ in events] == ["multiply", "add", "sum"]
    assert [event.makers for event, _ in events] == [[None], [0], [1]]
    assert [event.number for event, _ in events] == [0, 1, 2]


def test_a_partial_write_has_what_it_wrote_over_behind_what_it_wrote():
    events, _ = recorded(two_steps)
    event, (written, over) = events[1]
    assert event.fresh == 1
    assert (written.tolist(), over.tolist()) == ([3, 5], [2, 4])


def test_no_memory_is_kept_after_the_sink():
    events, _ = recorded(two_steps)
    assert not any(event.arrays or event.call.operands for event, _ in events)


def test_only_wanted_operations_are_recorded_with_their_operands():
    every, _ = recorded(two_steps)
    (found,), result = recorded(two_steps, only={every[2][0].turn})
    assert found[0].call.name == "sum"
    assert found[0].operands[0].tolist() == [0, 3, 5, 6]
    assert result == 14


def test_a_mend_changes_what_comes_later():
    every, _ = recorded(two_steps)
    turn = every[0][0].turn
    _, result = recorded(two_steps, mends={turn: [(0, lambda array: array.fill(0))]})
    assert result == 2
