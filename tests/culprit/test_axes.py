from __future__ import annotations

from symmetry.culprit.axes import Axes, match
from symmetry.culprit.layout import Axis
from symmetry.culprit.place import Place
from symmetry.culprit.tape import Event


def event(name, *operands, line=1, result=None):
    results = (result,) if result is not None else ()
    return Event(name, "numpy", Place("step.py", line), operands, results)


def names(matched):
    return [None if event is None else event.name for event in matched]


def test_equal_sequences_match_one_by_one():
    events = [event("a"), event("b")]
    assert match(events, events) == events


def test_an_operation_too_many_in_the_larger_run():
    own = [event("a"), event("b"), event("c")]
    other = [event("a"), event("loop"), event("b"), event("c")]
    assert names(match(own, other)) == ["a", "b", "c"]


def test_an_operation_that_only_the_own_run_has():
    own = [event("a"), event("odd"), event("b")]
    assert names(match(own, [event("a"), event("b")])) == ["a", None, "b"]


def test_loops_of_different_length():
    own = [event("a"), *[event("f"), event("g")] * 3, event("b"), *[event("h")] * 3, event("c")]
    other = [event("a"), *[event("f"), event("g")] * 5, event("b"), *[event("h")] * 5, event("c")]
    assert names(match(own, other)) == [e.name for e in own]


def test_the_place_tells_operations_apart():
    own = [event("a", line=1), event("a", line=2)]
    assert match(own, [event("a", line=2)]) == [None, own[1]]


def test_without_another_run_nothing_matches():
    assert match([event("a")], []) == [None]


def axes(own, larger, hidden=4, others=(9, 3)):
    return Axes(own, larger, None, hidden, others)


def test_axes_are_found_by_growth():
    own, larger = [event("mm", (9, 4), result=(4, 4))], [event("mm", (9, 6), result=(6, 4))]
    found = axes(own, larger)
    assert found.find(0, "mm", "operands", 0, (9, 4))[0].axes == (Axis(1, 0, 4),)
    assert found.find(0, "mm", "results", 0, (4, 4))[0].axes == (Axis(0, 0, 4),)
    assert found.grows(0, "mm", "results", 0, (4, 4))
    assert found.unmatched == 0


def test_without_a_counterpart_the_length_decides():
    found = axes([event("mm", (9, 4))], None)
    assert found.unmatched == 1
    assert found.find(0, "mm", "operands", 0, (9, 4))[0].axes == (Axis(1, 0, 4),)
    assert found.find(0, "mm", "operands", 0, (9, 9)) == ()
    assert not found.grows(0, "mm", "operands", 0, (9, 4))


def test_another_operation_than_expected_is_told_by_length_too():
    own = [event("mm", (9, 4))]
    assert axes(own, own).find(0, "add", "operands", 0, (9, 4))[0].axes == (Axis(1, 0, 4),)
    assert axes(own, own).find(7, "mm", "operands", 0, (9, 9)) == ()
