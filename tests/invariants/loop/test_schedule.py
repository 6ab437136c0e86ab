"""Schedulers that do not end where the loop ends, from events that are written down here."""

from __future__ import annotations

import math

import pytest

from symmetry.invariants.loop.schedule import schedule
from symmetry.training.events import (
    Backward,
    Batch,
    Exhausted,
    Scheduled,
    Scheduler,
    SteppedOptimizer,
    Updated,
)
from tests.invariants.loop.made import at, epochs, event, loader


def run(rates, *, batches, ends=1):
    """Return a run of an epoch or more in which each update is followed by a new rate."""
    events = [event(Batch), event(Backward)]
    for rate in rates:
        events += [event(Updated), event(Scheduled, 9, rates=(rate,))]
    events += [event(Exhausted, iterator=n) for n in range(ends)]
    return epochs(*events, loaders=(loader(0, batches=batches),))


COSINE = [0.05 * (1 + math.cos(math.pi * n / 10)) for n in range(1, 21)]


def test_a_rate_that_vanishes_in_the_first_epoch_is_noted_at_its_line():
    (note,) = schedule(run(COSINE, batches=100)).notes
    assert note.name == "loop/schedule"
    assert "StepLR is stepped with each batch" in note.text
    assert "after 10 of the 100 batches" in note.text
    assert (note.file, note.line) == ("train.py", 9)


@pytest.mark.parametrize(
    ("rates", "options"),
    [
        ([0.1] * 20, {"batches": 100}),  # never vanishes
        (COSINE[:12], {"batches": 100}),  # the script may be at its end
        (COSINE, {"batches": 15}),  # more than half of the epoch is over
        (COSINE, {"batches": 100, "ends": 20}),  # one step for each epoch
        ([1e-6, 0.01, 0.1, *[0.1] * 6], {"batches": 100}),  # a warm-up
    ],
)
def test_other_rates_are_not_noted(rates, options):
    assert schedule(run(rates, **options)).notes == []


def pieces(
    number, *, steps, each_batch, each_epoch=False, ends=3, batches=16, exhausted=True, **facts
):
    """Return a run whose updates have so many batches, with a schedule of so many steps."""
    events, count = [], 0
    for end in range(ends):
        for _ in range(2):
            for _ in range(number):
                events += [event(Batch, iterator=end), event(Backward, number=count)]
                events += [event(Scheduled, 9)] * each_batch
                count += 1
            events += [event(Updated, backwards=tuple(range(count - number, count)))]
            events += [event(Scheduled, 9)] * (not each_batch and not each_epoch)
        events += [event(Exhausted, iterator=end, cut=True)] * exhausted
        events += [event(Scheduled, 9)] * each_epoch
    scheduler = Scheduler(number=0, kind="LambdaLR", steps=steps)
    given = {"loaders": (loader(0, batches=batches),), "schedulers": (scheduler,), **facts}
    return schedule(epochs(*events, **given))


@pytest.mark.parametrize(("shown", "noted"), [(1, 0), (2, 1)])
def test_a_library_that_exhausts_no_iterator_steps_with_each_epoch(shown, noted):
    events = []
    for number, rate in enumerate(COSINE):
        events += [event(Batch, iterator=number), event(Backward), event(Updated)]
        events += [event(Scheduled, 9, rates=(rate,))]
    loaders = (loader(0, batches=100, shown=shown),)
    assert len(schedule(epochs(*events, loaders=loaders)).notes) == noted


def test_a_schedule_of_updates_that_is_stepped_with_each_batch_is_accused():
    (accusation,) = pieces(4, steps=12, each_batch=True).accusations
    assert accusation.at == at(9)
    assert accusation.text == (
        "LambdaLR is made for 12 steps, as many as there are updates in all epochs, but it takes 4 "
        "with each update: the learning rate is at its end after 1/4 of the training. Step it "
        "where the optimiser steps."
    )


@pytest.mark.parametrize(("shown", "accused"), [(8, 1), (9, 0), (None, 0)])
def test_the_loop_of_a_library_ends_an_epoch_by_its_length(shown, accused):
    """Each epoch has two updates of four batches, and nothing is exhausted."""
    loaders = (loader(0, batches=16, shown=shown),)
    judgement = pieces(4, steps=12, each_batch=True, exhausted=False, loaders=loaders)
    assert len(judgement.accusations) == accused


def test_a_schedule_of_batches_that_is_stepped_with_each_update_has_a_note():
    judgement = pieces(4, steps=48, each_batch=False)
    assert not judgement.accusations
    (note,) = judgement.notes
    assert (note.name, note.line) == ("loop/schedule", 9)
    assert "only 1/4 of the schedule is run" in note.text


def test_a_schedule_of_updates_that_is_stepped_with_each_epoch_has_a_note():
    judgement = pieces(4, steps=12, each_batch=False, each_epoch=True)
    assert not judgement.accusations
    (note,) = judgement.notes
    assert (note.name, note.line) == ("loop/schedule", 9)
    assert note.text == (
        "LambdaLR is made for 12 steps, as many as there are updates in all epochs, but it takes "
        "one with each of 3 epochs. Step it where the optimiser steps."
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"steps": 12, "each_batch": False},
        {"steps": 3, "each_batch": False, "each_epoch": True},
        {"steps": 13, "each_batch": False, "each_epoch": True},
        {"steps": 48, "each_batch": True},
        {"steps": 13, "each_batch": True},  # no coincidence
        {"steps": None, "each_batch": True},  # it never ends
        {"steps": 12, "each_batch": True, "is_whole": False},
        {"steps": 3, "each_batch": True, "batches": 4},  # few updates
        {"steps": 12, "each_batch": True, "batches": None},
    ],
)
def test_other_schedules_are_sound(facts):
    judgement = pieces(4, **facts)
    assert (judgement.accusations, judgement.notes) == ([], [])


def test_the_steps_of_a_library_are_those_of_shortened_epochs():
    loaders = (loader(0, batches=24, shown=2),)
    judgement = pieces(1, steps=6, each_batch=False, each_epoch=True, loaders=loaders)
    (note,) = judgement.notes
    assert "is made for 6 steps, as many as there are updates in all epochs" in note.text
    other = (loader(0, batches=24),)
    assert not pieces(1, steps=6, each_batch=False, each_epoch=True, loaders=other).notes


@pytest.mark.parametrize(("steps", "noted"), [(10, True), (45, True), (47, False), (48, False)])
def test_a_cosine_that_rises_again_has_a_note(steps, noted):
    cosine = (Scheduler(number=0, kind="CosineAnnealingLR", steps=steps),)
    notes = pieces(1, steps=steps, each_batch=False, schedulers=cosine).notes
    assert [f"lowest rate after {steps} of 48 steps" in note.text for note in notes] == [
        True
    ] * noted


@pytest.mark.parametrize(
    ("twice", "backwards", "accused", "noted"),
    [
        ("LinearLR", (0, 0), 1, 0),
        ("LinearLR", (0, 1), 0, 1),  # of a GAN
        ("", (0, 0), 0, 1),  # a warm-up and a cool-down
        ("", (0, 1), 0, 0),
    ],
)
def test_two_schedules_are_wrong_if_they_are_equal(twice, backwards, accused, noted):
    kinds = ("LinearLR", "LinearLR")
    moving = SteppedOptimizer(
        number=0, kind="Adam", parameters=1, has_state=True, schedules=kinds, twice=twice
    )
    still = SteppedOptimizer(number=1, kind="SGD", parameters=1, has_state=True)
    events = [
        event(Updated, 9 + n, optimizer=n, rates=(rate, 0.5)[n : n + 1], backwards=(backwards[n],))
        for rate in (0.1, 0.2, 0.3)
        for n in (0, 1)
    ]
    judgement = schedule(epochs(*events, optimizers=(moving, still)))
    assert (len(judgement.accusations), len(judgement.notes)) == (accused, noted)
