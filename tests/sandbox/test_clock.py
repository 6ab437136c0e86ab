"""The time of a script stands still while it is suspended."""

from __future__ import annotations

import json
import time

import pytest

from symmetry.sandbox.clock import Clock


@pytest.mark.parametrize(
    ("name", "unit"),
    [("time", 1), ("monotonic", 1), ("perf_counter", 1), ("time_ns", 1e9), ("monotonic_ns", 1e9)],
)
def test_what_a_script_has_waited_is_left_out(name, unit):
    clock = Clock()
    own, true = dict(clock.functions())[name], getattr(time, name)
    clock.turn()
    before, began = own(), true()
    clock.turn()
    time.sleep(0.2)
    clock.turn()
    after, ended = own(), true()
    assert ended - began >= 0.19 * unit
    assert 0 <= after - before < ended - began - 0.19 * unit + 1e-6


def test_libraries_are_told_the_true_time():
    clock = Clock()
    clock.turn()
    clock.turn()
    time.sleep(0.01)
    clock.turn()
    found = {"own": dict(clock.functions())["time"]}
    exec(compile("told = own()", json.__file__, "exec"), found)
    assert found["own"]() <= found["told"] - 0.009
