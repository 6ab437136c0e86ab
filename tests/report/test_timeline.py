"""The timeline of events, without a run."""

from __future__ import annotations

from symmetry.report.timeline import lines
from symmetry.training.events import Backward, Batch, Called, Exhausted, Updated
from tests.invariants.loop.made import at, epochs, event, loader

TRAINED = (event(Batch), event(Called), event(Backward), event(Updated))


def evaluated(number):
    call = event(Called, 20, loader=number, gradient=False, training=False)
    return event(Batch, 19, loader=number), call, event(Exhausted, 19, loader=number, cut=True)


def test_a_loader_that_is_made_anew_in_each_epoch_is_one_loader():
    again = {"at": at(91), "samples": 8, "shuffles": False}
    run = epochs(
        *(each for number in (1, 2, 3) for each in (*TRAINED, *evaluated(number))),
        loaders=(loader(0), *(loader(number, **again) for number in (1, 2, 3))),
        shortened=("the loader made at train.py:91",) * 3,
    )
    text = "\n".join(lines(run))
    assert "loader 1, made 3 times" in text
    assert "loader 2" not in text
    assert text.count("batch of loader 1") == text.count("ended early") == 1
    assert "\n   3 times\n" in text
