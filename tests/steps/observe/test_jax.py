"""What is seen of JAX: its primitives, one by one, whatever is compiled."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from tests.conftest import needs

pytestmark = needs("jax")

if importlib.util.find_spec("jax") is not None:
    import jax
    import jax.numpy as jnp

    from symmetry.steps.observe.jax import observing


def recorded(function, **options):
    """Return the events, each with copies of its arrays, and the result."""
    events = []

    def sink(event):
        events.append((event, [array.copy() for array in event.arrays]))

    x = jnp.arange(3.0)
    with observing(Tape(sink, **options), SourceLines()):
        result = function(x)
    return events, np.asarray(result)


def test_the_primitives_of_a_compiled_function_are_seen_in_order():
    events, result = recorded(jax.jit(lambda x: jnp.sin(x * 2).sum()))
    names = [event.call.name for event, _ in events]
    assert [name for name in names if name in ("mul", "sin", "reduce_sum")] == [
        "mul",
        "sin",
        "reduce_sum",
    ]
    np.testing.assert_allclose(result, np.sin(2 * np.arange(3.0)).sum(), rtol=1e-6)


def test_an_event_knows_what_made_its_operands_and_can_be_performed_again():
    events, _ = recorded(lambda x: jnp.sin(x * 2))
    by_name = {event.call.name: event for event, _ in events}
    assert by_name["mul"].number in by_name["sin"].makers
    ((again,),) = [
        event.call.perform([np.zeros(3, np.float32)])
        for event, _ in events
        if event.call.name == "sin"
    ]
    assert again.tolist() == [0, 0, 0]


def test_random_numbers_are_told():
    events, _ = recorded(lambda x: jax.random.normal(jax.random.PRNGKey(0), (3,)) + x)
    assert any(event.call.random for event, _ in events)
    assert not any(event.call.random for event, _ in events if event.call.name == "add")


def test_a_mend_changes_what_comes_later():
    every, _ = recorded(lambda x: (x + 1) * 3)
    turn = next(event.turn for event, _ in every if event.call.name == "add")
    _, result = recorded(lambda x: (x + 1) * 3, mends={turn: [(0, lambda array: array.fill(0))]})
    assert result.tolist() == [0, 0, 0]


def test_nothing_stays_replaced_when_the_step_raises():
    from jax._src.core import EvalTrace

    before = EvalTrace.process_primitive
    with pytest.raises(ZeroDivisionError):
        recorded(lambda x: 1 / 0)
    assert EvalTrace.process_primitive is before
    assert not jax.config.jax_disable_jit
