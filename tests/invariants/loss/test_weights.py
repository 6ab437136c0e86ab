"""Weights of loss terms that are judged, from updates that are written down here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.invariants.loss.weights import weights
from symmetry.observe.terms import Terms
from symmetry.training.events import Backward, Batch, Called, Updated
from tests.invariants.loop.made import at, epochs, event


def means(counts, *, size=8, total=1.0, **facts):
    """Return the terms of micro-batches that are means over so many of their terms."""
    return [terms(np.where(np.arange(size) < n, total / n, 0.0), **facts) for n in counts]


def terms(array, **facts):
    given = {"operation": "LogSoftmax", "kind": "likelihood", "at": at(3), "mean_at": at(4)}
    return Terms(**{**given, "weighed_at": at(5), **facts}, weights=(array,))


def run(*windows, samples=4, loaders=(0, 0, 0, 0), factors=(1.0, 1.0), lines=(6,) * 4, reached=()):
    """Return a run of updates, each of which has the terms of some micro-batches."""
    events, number = [], 0
    for window in windows:
        first = number
        for place, each in enumerate(window):
            rows = samples if isinstance(samples, int) else samples[place]
            order = tuple(range(number * rows, (number + 1) * rows))
            events += [event(Batch, loader=loaders[place], order=order)]
            events += [event(Called, digest=str(number), shapes=(f"{rows} x 3",))]
            both = each if isinstance(each, tuple) else (each,)
            facts = {"reached": frozenset(reached[place : place + 1]), "terms": both}
            events += [event(Backward, lines[place], number=number, **facts)]
            number += 1
        events += [event(Updated, 9, backwards=tuple(range(first, number)), factors=factors)]
    return epochs(*events)


UNEQUAL = [means((8, 3, 5), total=1 / 3), means((4, 6, 5), total=1 / 3)]
TWICE = [means((8, 8, 8), total=1 / 9)] * 2
SUMMED = [means((8, 8, 8))] * 2


def test_a_mean_of_means_is_accused_where_the_mean_is_taken():
    (accusation,) = weights(run(*UNEQUAL)).accusations
    assert accusation.at == at(4)
    assert accusation.text == (
        "each of the 3 micro-batches of an update is divided by its own number of terms, so that "
        "one of 3 terms weighs 2.67 times as much as one of 8. Add up sums, and divide them by the "
        "number in all micro-batches."
    )


@pytest.mark.parametrize(
    "windows",
    [
        UNEQUAL[:1],  # once
        [means((8, 3, 5), total=1 / 3, kind="other")] * 2,  # of a policy, say
        [[terms(np.full(n, 1 / n / 3)) for n in (8, 3, 5)]] * 2,  # nothing is masked
    ],
)
def test_what_may_be_meant_is_a_note(windows):
    judgement = weights(run(*windows))
    assert not judgement.accusations
    (note,) = judgement.notes
    assert (note.name, note.line) == ("loss/weights", 4)
    assert "If all are to count the same" in note.text


@pytest.mark.parametrize(
    "facts",
    [
        {"samples": 1},  # graphs, one at a time
        {"samples": (4, 4, 2)},
        {"loaders": (0, 1, 0)},  # domains
        {"lines": (6, 7, 6)},  # several losses
        {"reached": (1, 2, 1)},  # tasks, each with a head
    ],
)
def test_micro_batches_of_several_kinds_may_count_equally(facts):
    judgement = weights(run(*UNEQUAL, **facts))
    assert (judgement.accusations, judgement.notes) == ([], [])


@pytest.mark.parametrize("accused", [0, 2])
def test_a_penalty_of_each_micro_batch_may_stand_beside_a_loss_of_all_tokens(accused):
    penalties = means((8, 3, 5), total=1 / 3, kind="distance", operation="Pow", mean_at=at(7))
    right = [sums(counts, n) for counts, n in zip(COUNTS, (16, 17), strict=True)]
    losses = UNEQUAL if accused else right
    judgement = weights(run(*([*zip(loss, penalties, strict=True)] for loss in losses)))
    assert (len(judgement.accusations), judgement.notes) == (accused, [])


def test_a_likelihood_of_each_micro_batch_is_no_penalty():
    seconds = means((8, 3, 5), total=1 / 3, kind="likelihood", operation="Mul", mean_at=at(7))
    whole = [sums(counts, n) for counts, n in zip(COUNTS, (16, 17), strict=True)]
    judgement = weights(run(*([*zip(loss, seconds, strict=True)] for loss in whole)))
    assert [each.at for each in judgement.accusations] == [at(7)]


def test_a_loss_that_is_divided_twice_is_accused_where_it_is_made():
    (accusation,) = weights(run(*TWICE)).accusations
    assert accusation.at == at(5)
    assert accusation.text == (
        "all terms of the loss in the 3 micro-batches of an update together weigh 1/3, and not 1: "
        "it is divided by their number twice. Divide it once."
    )


@pytest.mark.parametrize(
    "judgement",
    [
        weights(run(*TWICE[:1])),
        weights(run(*TWICE, factors=(3.0, 3.0))),  # gradients are multiplied by hand
        weights(run(*[means((8, 8), total=1 / 4)] * 2)),  # half a loss
        weights(
            run(*[means((8,) * 4, total=1 / 9), *TWICE[:1]] * 2)
        ),  # the last pieces of an epoch
    ],
)
def test_other_small_totals_are_sound(judgement):
    assert (judgement.accusations, judgement.notes) == ([], [])


def sums(counts, divisor, *, size=8):
    """Return the terms of micro-batches that are sums, all divided by one number."""
    return [terms(np.where(np.arange(size) < n, 1 / divisor, 0.0)) for n in counts]


COUNTS = (8, 3, 5), (4, 6, 7)  # of terms; each micro-batch has 4 rows of 8 places in all


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((16 + 12, 17 + 12), "28, the number of tokens before labels are shifted"),
        ((24, 30), "24, the number of places"),
        ((24 + 12, 30 + 12), "36, the number of places before labels are shifted"),
    ],
)
def test_a_sum_that_is_divided_by_a_number_of_the_update_and_once_more(numbers, words):
    windows = [
        sums(counts, 3 * n, size=size)
        for counts, n, size in zip(COUNTS, numbers, (8, 10), strict=True)
    ]
    (accusation,) = weights(run(*windows)).accusations
    assert accusation.at == at(5)
    assert accusation.text == (
        f"the loss in the 3 micro-batches of an update is divided by {words} in all of them, and "
        "by 3 as well. Leave out one of the two."
    )


@pytest.mark.parametrize(
    "windows",
    [
        [sums(COUNTS[0], 3 * 28)] * 2,  # perhaps a constant
        [sums(counts, n) for counts, n in zip(COUNTS, (28, 29), strict=True)],  # once
        [sums(counts, 24) for counts in COUNTS],  # of each micro-batch, padded to 8 places
        [sums(counts, 3 * 100) for counts in COUNTS],
    ],
)
def test_other_divisors_are_sound(windows):
    judgement = weights(run(*windows))
    assert (judgement.accusations, judgement.notes) == ([], [])


def test_sums_of_means_that_nothing_divides_have_a_note():
    (note,) = weights(run(*SUMMED)).notes
    assert (note.name, note.line) == ("loop/accumulation", 9)
    assert "sums the gradients of 3 batches" in note.text
    assert not weights(run(*SUMMED[:1])).notes
    assert not weights(run(*SUMMED, factors=(1 / 3, 1 / 3))).notes  # divided behind the backward


@pytest.mark.parametrize("windows", [SUMMED, TWICE])
def test_products_of_two_that_are_trained_may_be_losses_and_their_learned_weights(windows):
    products = [[replace(each, kind="product") for each in pieces] for pieces in windows]
    judgement = weights(run(*products))
    assert (judgement.accusations, judgement.notes) == ([], [])


def test_it_does_not_apply_without_several_backwards():
    judgement = weights(run([terms(np.ones(3) / 3)]))
    assert not judgement.applies
    assert "no update takes several backwards" in judgement.why


def test_lines_that_were_not_recorded_are_those_of_other_updates():
    nowhere = [means((8, 3, 5), total=1 / 3, at=at(0).__class__("", 0))]
    assert weights(run(*nowhere, *UNEQUAL[:1])).accusations
