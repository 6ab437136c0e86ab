"""When batches, orders and random numbers come again, and when that is as it should be."""

from __future__ import annotations

import pytest

from symmetry.invariants.loop.batches import batches
from symmetry.training.events import (
    Backward,
    Batch,
    BatchRows,
    Called,
    Exhausted,
    Measured,
    Seeded,
    Updated,
)
from tests.invariants.loop.made import at, epochs, event, loader

ORDER = tuple(range(8))


def epoch(iterator, order, *, optimizer=0, digest=""):
    given = {"iterator": iterator, "order": order, "digest": digest or str(iterator)}
    end = (event(Updated, 8, optimizer=optimizer), event(Exhausted, iterator=iterator))
    return event(Batch, 4, **given), event(Called), event(Backward), *end


def test_the_first_batch_again_and_again_is_accused():
    steps = [each for n in range(4) for each in epoch(n, None, digest="same")]
    (accusation,) = batches(epochs(*steps)).accusations
    assert accusation.at == at(4)
    assert accusation.text.startswith("every update sees the first of 32 batches")
    one = (loader(0, batches=1), loader(1))
    assert not batches(epochs(*steps, loaders=one)).accusations


def test_samples_without_weights_and_overwritten_ones_are_accused():
    events = epoch(0, ORDER)
    few = (loader(0, weights=3, samples=64), loader(1, weights=3, samples=64))
    (accusation,) = batches(epochs(*events, loaders=few)).accusations
    assert accusation.at == at(90)
    assert "has 3 weights, and the data 64 samples" in accusation.text
    assert not batches(epochs(*events, loaders=(loader(0, weights=64, samples=64),))).accusations
    (accusation,) = batches(
        epochs(*events, loaders=(loader(0, overwritten=True, read_at=at(7)),))
    ).accusations
    assert accusation.at == at(7)
    assert "holds the last sample many times" in accusation.text


def test_two_shuffled_epochs_in_one_order_are_accused():
    events = (*epoch(0, ORDER), *epoch(1, ORDER))
    (accusation,) = batches(epochs(*events)).accusations
    assert accusation.at == at(90)
    assert "Seed random numbers once" in accusation.text
    distributed = (loader(0, sampler="DistributedSampler"), loader(1))
    (accusation,) = batches(epochs(*events, loaders=distributed)).accusations
    assert "set_epoch(epoch)" in accusation.text


def test_orders_may_be_equal_without_shuffling_and_for_another_optimiser():
    events = (*epoch(0, ORDER), *epoch(1, ORDER))
    assert not batches(epochs(*events, loaders=(loader(0, shuffles=False),))).accusations
    others = (*epoch(0, ORDER), *epoch(1, ORDER, optimizer=1))
    assert not batches(epochs(*others)).accusations
    assert not batches(epochs(*epoch(0, ORDER), *epoch(1, ORDER[::-1]))).accusations


def seeded(after, *, optimizer=0):
    states = {"PyTorch": "seed"}
    return (
        event(Seeded, 2, generator="PyTorch", states=states),
        event(Called),
        event(Backward),
        event(Updated, optimizer=optimizer, states={"PyTorch": after}),
    )


def test_a_seed_in_the_loop_is_accused_where_it_is_set():
    (accusation,) = batches(epochs(*seeded("drawn"), *seeded("drawn"))).accusations
    assert accusation.at == at(2)
    assert accusation.text.startswith("PyTorch's random numbers are seeded in the loop")


def test_a_seed_that_no_update_draws_from_and_one_of_another_training_are_sound():
    assert not batches(epochs(*seeded("seed"), *seeded("seed"))).accusations
    assert not batches(epochs(*seeded("drawn"), *seeded("drawn", optimizer=1))).accusations


def test_batches_of_one_class_each_have_a_note():
    sorted_ = (loader(0, shuffles=False, classes=("0", "1", "3")),)
    (note,) = batches(epochs(*epoch(0, None), loaders=sorted_)).notes
    assert (note.name, note.line) == ("loop/shuffle", 90)
    one = (loader(0, shuffles=False, classes=("0", "0", "0")),)
    assert not batches(epochs(*epoch(0, None), loaders=one)).notes


def row(call, **facts):
    given = {"place": 64, "share": 0.1, "anew": True, "others_are_read": False}
    return BatchRows(call=call, **{**given, **facts})


def same_rows(**facts):
    calls = [event(Called, 12, update=n, digest="a") for n in range(5)]
    return batches(epochs(*calls, rows=tuple(row(n, **facts) for n in range(5)))).notes


def test_the_same_rows_for_all_updates_have_a_note():
    (note,) = same_rows()
    assert (note.name, note.line) == ("loop/same-rows", 12)
    assert note.text.startswith(
        "all 5 updates that were seen are given the same rows of a tensor, 10% of it"
    )


@pytest.mark.parametrize("facts", [{"share": 0.8}, {"anew": False}, {"others_are_read": True}])
def test_a_training_part_and_a_batch_that_is_kept_have_none(facts):
    assert same_rows(**facts) == []


def pieces(losses, digests="ab", **facts):
    """Return three updates of two pieces each, which have these losses."""
    events = [event(Called, 1, digest="first"), event(Backward, 2), MEASURED, event(Updated, 4)]
    for number, digest in enumerate(digests + digests[0]):
        for loss in losses:
            call = event(Called, 1, digest=digest, **facts)
            loss_of_it = event(Measured, 2, phase="loss", name="backward", values=(loss,))
            events += [call, MEASURED, event(Backward, 2, number=number), loss_of_it]
        events.append(event(Updated, 4))
    return batches(epochs(*events)).accusations


MEASURED = event(Measured, 1, phase="forward", name="Net", values=(1.0, 2.0))


def test_one_batch_for_all_pieces_of_an_update_is_accused():
    (accusation,) = pieces([0.5, 0.5])
    assert accusation.at == at(2)
    assert accusation.text.startswith("each update adds up 2 backwards of one batch: ")


@pytest.mark.parametrize(
    ("losses", "facts"),
    [
        ([0.5, 0.25], {}),  # of two tasks
        ([0.5], {}),
        ([0.5, 0.5], {"dropouts": ("drop",)}),
        ([0.5, 0.5], {"digests": "aa"}),  # all updates have one batch, as a trial has
    ],
)
def test_other_pieces_are_not(losses, facts):
    assert pieces(losses, **facts) == []


@pytest.mark.parametrize(
    ("sampler", "digests", "noted"),
    [
        ("SequentialSampler", ("a", "b"), True),
        ("RandomSampler", ("a", "b"), False),
        ("SequentialSampler", ("a", "a"), False),  # nothing to exchange
    ],
)
def test_epochs_in_one_order_have_a_note(sampler, digests, noted):
    events = []
    for n in range(2):
        for digest in digests:
            events += [event(Batch, 4, iterator=n, digest=digest), event(Called), event(Backward)]
            events += [event(Updated, 8)]
        events += [event(Exhausted, iterator=n)]
    loaders = (loader(0, sampler=sampler, shuffles=False), loader(1))
    notes = batches(epochs(*events, loaders=loaders)).notes
    assert [note.name for note in notes] == ["loop/order"] * noted
