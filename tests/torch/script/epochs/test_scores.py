"""Calls whose results are scores: not those that train something, and on which data they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from symmetry.torch.script.epochs.scores import Scores
from symmetry.torch.watch.functions import results

NET = nn.Linear(4, 3)


def called(scores, number, x):
    """Call the network as a run over whole epochs sees it."""
    found = NET(x)
    scores.see(number, (x,), found, gradient=torch.is_grad_enabled())
    return found


def records(score, batch=lambda x: x[torch.randperm(20)[:8]]):
    """Train with rows of data, and let ``score`` use a call without gradients on other data."""
    scores = Scores()
    with results(scores.see_function):
        whole, labels = torch.randn(30, 4), torch.randint(3, (30,))
        data, other = whole[:20], whole[20:]
        loss = F.cross_entropy(called(scores, 0, batch(data)), labels[:8])
        with torch.no_grad():
            out = called(scores, 1, score.__kwdefaults__["on"](data, other))
        score(out, labels, loss)
    return [(record.call, record.of_other_data) for record in scores.records]


def accuracy(out, labels, loss, *, on=lambda data, other: other):
    assert (out.argmax(1) == labels[20:]).float().mean() >= 0


def error(out, labels, loss, *, on=lambda data, other: other / 2):
    F.cross_entropy(out, labels[20:])


@pytest.mark.parametrize("score", [accuracy, error])
def test_a_result_that_is_compared_with_data_is_a_score(score):
    assert records(score) == [(1, True)]


def on_the_training_data(out, labels, loss, *, on=lambda data, other: data):
    F.cross_entropy(out, labels[:20])


def on_what_is_computed_of_it(out, labels, loss, *, on=lambda data, other: data[5:15] - 1):
    assert (out.argmax(1) != labels[:10]).any() in (True, False)


@pytest.mark.parametrize("score", [on_the_training_data, on_what_is_computed_of_it])
def test_a_score_may_be_taken_on_training_data(score):
    assert records(score) == [(1, False)]


def test_where_arrays_of_numpy_come_from_is_not_known():
    def batch(x):
        return torch.from_numpy(np.asarray(x)[:8])

    assert records(accuracy, batch) == [(1, False)]
    assert records(accuracy, lambda x: torch.tensor(x.tolist()[:8])) == [(1, False)]


def pseudo_labels(out, labels, loss, *, on=lambda data, other: other):
    right = (out.argmax(1) == labels[20:]).float()
    (loss + right.mean() * NET(torch.ones(1, 4)).sum()).backward()


def kept(out, labels, loss, *, on=lambda data, other: other):
    memory = torch.zeros(10, 3)
    memory[:] = out
    assert (out.argmax(1) == labels[20:]).any() in (True, False)
    (NET(torch.ones(1, 4)) * memory).sum().backward()


def acted(out, labels, loss, *, on=lambda data, other: other):
    assert out.argmax(1).tolist()


@pytest.mark.parametrize("use", [pseudo_labels, kept, acted])
def test_what_trains_something_or_is_compared_with_nothing_is_none(use):
    assert records(use) == []


def given(*batches, more=lambda x: None):
    """Return the rows that successive calls with gradients are given."""
    scores = Scores()
    with results(scores.see_function):
        x = torch.randn(40, 4)
        kept = x[:8]
        for number, batch in enumerate(batches):
            called(scores, number, batch(x, kept))
        more(x)
    return scores.rows


def test_rows_of_a_tensor_are_known_by_their_memory():
    first, second = given(lambda x, _: x[:8], lambda x, _: x[:8])
    assert (first.call, second.call) == (0, 1)
    assert first.place == second.place
    assert (first.share, first.anew, first.others_are_read) == (0.2, True, False)
    assert second.anew


def test_a_batch_that_is_kept_is_not_read_anew():
    rows = given(lambda _, kept: kept, lambda _, kept: kept)
    assert [each.anew for each in rows] == [True, False]


def test_it_is_known_whether_anything_reads_other_rows():
    (row,) = given(lambda x, _: x[:8], more=lambda x: x[8:])
    assert row.others_are_read


def test_whole_tensors_and_copies_of_rows_are_no_rows():
    assert given(lambda x, _: x, lambda x, _: x[torch.randperm(40)[:8]]) == ()
