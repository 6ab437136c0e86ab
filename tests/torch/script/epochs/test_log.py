"""The events of a run, and when it ends."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import torch

from symmetry.torch.script.epochs.log import (
    UPDATES,
    Log,
    Numbers,
    digest_of,
    shapes_of,
    states,
)
from symmetry.training.events import Scheduled
from tests.invariants.loop.made import at


def add(log):
    log.add(Scheduled, at(1), kind="StepLR", rates=())


def test_the_run_is_suspended_once_it_has_seen_enough():
    suspended = []
    log = Log(lambda: suspended.append(True), seconds=60)
    add(log)
    log.updates = UPDATES
    add(log)
    add(log)
    assert (len(log.events), log.ended, suspended) == (2, f"after {UPDATES} updates", [True])
    assert not log.is_limited


def test_the_run_is_suspended_when_it_takes_too_long():
    log = Log(lambda: None, seconds=0)
    add(log)
    assert (log.ended, log.is_limited) == ("after 0 CPU seconds", True)


def test_events_of_other_threads_are_left_out():
    log = Log(lambda: None, seconds=60)
    thread = threading.Thread(target=add, args=(log,))
    thread.start()
    thread.join()
    assert log.events == []


def test_numbers_in_the_order_of_sight():
    numbers, one, other = Numbers(), object(), object()
    assert [numbers.of(thing) for thing in (one, other, one)] == [0, 1, 0]
    assert numbers.known(object()) is None
    assert [*numbers] == [one, other]


@pytest.mark.parametrize(
    ("draw", "name"),
    [(torch.rand, "PyTorch"), (np.random.rand, "NumPy"), (lambda _: random.random(), "Python")],
)
def test_a_draw_changes_the_state_of_its_generator(draw, name):
    before = states()
    draw(1)
    assert {key for key, digest in states().items() if digest != before[key]} == {name}


def test_a_batch_is_known_by_its_bytes_and_shapes():
    batch = {"x": torch.zeros(2, 3), "more": [torch.tensor(1)], "name": "a"}
    assert shapes_of(batch) == ("2 x 3", "scalar")
    assert digest_of(batch) == digest_of({**batch, "name": "b"})
    assert digest_of(batch) != digest_of({**batch, "x": torch.ones(2, 3)})
    assert digest_of({"name": "a"}) == digest_of(torch.zeros(2, device="meta")) == ""
