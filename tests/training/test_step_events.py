"""Listeners of the events of steps: any number, each for as long as its block runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.training.capabilities.step_events import StepEvents


@given(st.lists(st.sampled_from(["on_loss", "before_update"]), max_size=5))
def test_listeners_are_called_in_the_order_in_which_they_came(names):
    events, seen = StepEvents(), []
    expected = [number for number, name in enumerate(names) if name == "on_loss"]

    def nested(number):
        if number == len(names):
            events.emit("on_loss", "a loss")
            return
        heard = {names[number]: lambda what: seen.append((number, what))}
        with events.listening(**heard):
            nested(number + 1)

    nested(0)
    assert seen == [(number, "a loss") for number in expected]
    events.emit("on_loss", "nobody listens")
    events.emit("before_update", "nobody listens")
    assert len(seen) == len(expected)


def test_what_a_listener_raises_ends_its_block_and_no_other():
    events, seen = StepEvents(), []

    def refuse():
        raise ZeroDivisionError

    with events.listening(after_backward=lambda: seen.append("outer")):
        with pytest.raises(ZeroDivisionError), events.listening(after_backward=refuse):
            events.emit("after_backward")
        events.emit("after_backward")
    events.emit("after_backward")
    assert seen == ["outer", "outer"]
