"""The results of jitted functions, call by call, until a function was called with its own."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from symmetry.base.updates import PlainRun, UpdateLog, first_difference, sized
from symmetry.sandbox.plain_run import PlainOrder, run_here
from symmetry.sandbox.source import Source
from symmetry.targets.script import script
from tests.conftest import needs

pytestmark = needs("jax")

SCRIPT = """
import jax, jax.numpy as jnp, numpy as np

@jax.jit
def start(key):
    return jax.random.normal(key, (3, 2))

@jax.jit
def step(w, x):
    loss, g = jax.value_and_grad(lambda w: ((x @ w) ** 2).mean())(w)
    return w - 0.1 * g, loss

w = start(jax.random.PRNGKey(0))
for i in range(6):
    w, loss = step(w, np.full((4, 3), i + 1.0, np.float32))
"""


def test_calls_are_recorded_until_a_function_has_got_its_own_results():
    from symmetry.jax.script.outputs import OutputLog

    ends: list[int] = []
    log = UpdateLog(full=lambda: ends.append(1))
    outputs, w = OutputLog(log), np.ones(2)
    for number in range(6):
        outputs.see("step", [w, np.ones(3)], [new := np.full(2, number)])
        w = new
    assert len(ends) == 1
    assert len(log.updates) == 4
    assert log.updates[1] == {"result 0 of step": (sized(float(np.sqrt(2))),)}


@pytest.fixture
def of_script(tmp_path, monkeypatch):
    """Return the log of a plain run of the script, and its training."""
    from symmetry.jax.script import plain_outputs

    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    answers: list[PlainRun] = []

    def record(log, seed, around):
        log.full = lambda: None
        plain_outputs.record_plainly(log, seed, around)

    source = Source("train.py", tmp_path / "train.py")
    run_here(PlainOrder(source, recorder=record), answers.append)
    plain_outputs._to_the_end.close()  # this process goes on
    target = script("train.py")
    yield answers[0], target.training
    target.close()


def watched(training, monkeypatch, see):
    """Return the log of the watched run, in which a watcher does something in each call."""
    from symmetry.jax.script.calls import JittedCalls

    original = JittedCalls._recorded

    def recorded(self, jitted, arguments, args, kwargs):
        see(jitted)
        return original(self, jitted, arguments, args, kwargs)

    monkeypatch.setattr(JittedCalls, "_recorded", recorded)
    training._witness = nullcontext()  # begun, so that the first run is recorded
    training.begin().close()
    training._witness = None
    return training._log


def test_a_watched_run_has_the_results_of_the_plain_one(of_script, monkeypatch):
    plain, training = of_script
    assert plain.failure is None
    log = watched(training, monkeypatch, lambda _: None)
    assert {*log.updates[0]} == {"result 0 of start", "result 0 of step", "result 1 of step"}
    assert first_difference(plain.updates, log.updates) is None


def test_a_watcher_that_changes_results_is_noticed(of_script, monkeypatch):
    plain, training = of_script

    def drop(jitted):
        call = jitted.call
        jitted.call = lambda w, *rest: (w, call(w, *rest)[1]) if rest else call(w)

    log = watched(training, monkeypatch, drop)
    assert first_difference(plain.updates, log.updates) == (1, "result 0 of step")


def test_norms_of_arrays_that_hold_no_numbers_are_left_out():
    import jax
    import jax.numpy as jnp

    from symmetry.jax.script.outputs import OutputLog

    log = UpdateLog()
    OutputLog(log).see("f", [], [jax.random.key(0), jnp.ones(4), "text"])
    assert log.updates == [
        {"result 0 of f": ("",), "result 1 of f": (sized(2.0, 2.0),), "result 2 of f": ("",)}
    ]


def test_a_small_array_may_be_rounding_and_a_loss_may_not():
    from symmetry.jax.script.outputs import OutputLog

    logs = UpdateLog(), UpdateLog()
    for log, bias in zip(logs, (1e-3, 2e-3), strict=True):
        outputs = OutputLog(log)
        outputs.see("step", [], [np.ones(9), np.full(2, bias)])
        outputs.see("step", [], [np.ones(9), np.float32(bias)])
    one, other = (log.updates for log in logs)
    assert first_difference(one, other) == (2, "result 1 of step")
