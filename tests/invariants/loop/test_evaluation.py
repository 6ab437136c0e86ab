"""When an evaluation in training mode is accused, and what is not judged."""

from __future__ import annotations

import pytest

from symmetry.invariants.loop.evaluation import evaluation
from symmetry.training.events import Backward, Batch, Called, Exhausted, Updated
from tests.invariants.loop.made import at, epochs, event, loader, model

TRAINED = (event(Batch), event(Called), event(Backward), event(Updated), event(Exhausted))
BATCH = event(Batch, loader=1)


def evaluated(**facts):
    given = {"loader": 1, "batch": 5, "gradient": False, "dropouts": ("drop",)}
    return event(Called, 20, **{**given, **facts})


def test_active_dropouts_are_accused_where_the_model_is_called():
    (accusation,) = evaluation(epochs(*TRAINED, BATCH, evaluated())).accusations
    assert accusation.at == at(20)
    assert accusation.text == (
        "Net is evaluated in training mode: 1 dropout is active. Call eval() before, and train() "
        "after the evaluation."
    )


def test_statistics_that_learn_from_the_evaluation_are_told():
    call = evaluated(dropouts=(), statistics=("a", "b"))
    (accusation,) = evaluation(epochs(*TRAINED, BATCH, call)).accusations
    assert "the running statistics of 2 modules learn from it" in accusation.text


def test_a_copy_that_follows_a_trained_model_is_judged_as_well():
    average = model(is_trained=False, follows=True)
    (accusation,) = evaluation(epochs(*TRAINED, BATCH, evaluated(), models=(average,))).accusations
    assert accusation.text == (
        "Net is evaluated in training mode: 1 dropout is active. Call eval() where this copy of a "
        "trained model is made."
    )
    frozen = model(is_trained=False)
    assert not evaluation(epochs(*TRAINED, BATCH, evaluated(), models=(frozen,))).accusations


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([evaluated(batch=None)], "with nothing of the batch"),
        ([evaluated(), evaluated()], "several times for a batch"),
        ([evaluated(is_used=False)], "throws the result away"),
    ],
)
def test_what_may_be_meant_is_not_judged(calls, why):
    judgement = evaluation(epochs(*TRAINED, BATCH, *calls))
    assert not judgement.accusations
    assert why in judgement.why


def test_a_loader_that_leads_to_a_backward_trains():
    judgement = evaluation(epochs(*TRAINED, BATCH, evaluated(gradient=True), event(Backward)))
    assert not judgement.accusations
    assert not judgement.applies


def test_a_batch_inside_of_an_epoch_that_is_only_called_without_gradients_evaluates():
    trained, *_ = TRAINED
    events = (trained, event(Called), BATCH, evaluated(), event(Backward), event(Updated))
    assert evaluation(epochs(*events)).accusations


def test_samples_that_are_trained_and_evaluated_on_have_a_note():
    loaders = (
        loader(0, source=3, indices=frozenset({1, 2, 3})),
        loader(1, source=3, indices=frozenset({3, 4})),
    )
    (note,) = evaluation(epochs(*TRAINED, BATCH, evaluated(), loaders=loaders)).notes
    assert (note.name, note.line) == ("loop/overlap", 91)
    assert note.text.startswith("1 of 2 samples of the loader made at train.py:91")


@pytest.mark.parametrize(("trained", "noted"), [(0, True), (1, False)])
def test_samples_that_only_another_model_is_trained_on_have_none(trained, noted):
    loaders = (
        loader(0, source=3, indices=frozenset({1, 2, 3})),
        loader(1, source=3, indices=frozenset({3, 4})),
    )
    events = (event(Batch), event(Called, model=trained), event(Backward), event(Updated))
    models = (model(), model(number=1))
    found = evaluation(epochs(*events, BATCH, evaluated(), loaders=loaders, models=models))
    assert bool(found.notes) == noted


def test_a_loader_that_is_left_early_evaluates_if_its_calls_lead_to_no_backward():
    """An iterator that is not exhausted is followed by the backwards of the training."""
    validated = [event(Batch, loader=1), event(Called, batch=0, loader=1)]
    trained = [event(Batch, loader=0), event(Called, batch=2, loader=0)]
    known = epochs(*validated, *trained, event(Backward, calls=frozenset({3})))
    assert known.training_loaders == {0}
    assert epochs(*validated, *trained, event(Backward)).training_loaders == {0, 1}


@pytest.mark.parametrize(
    ("validation", "found"),
    [
        ("abcd", "4 of the first 4 samples"),
        ("abcx", "3 of the first 4 samples"),
        ("abxy", ""),  # half of them: chance
        ("aaaa", ""),  # all samples are alike
        ("", ""),
    ],
)
def test_samples_of_two_data_sets_are_compared_by_their_contents(validation, found):
    loaders = (loader(0, contents=tuple("abcdefgh")), loader(1, contents=tuple(validation)))
    notes = evaluation(epochs(*TRAINED, BATCH, evaluated(), loaders=loaders)).notes
    assert [note.text.startswith(found) for note in notes] == [True] * bool(found)


@pytest.mark.parametrize("number", [0, 1])
def test_only_samples_of_an_evaluation_have_to_stay(number):
    loaders = tuple(loader(n, varies=n == number) for n in range(2))
    notes = evaluation(epochs(*TRAINED, BATCH, evaluated(), loaders=loaders)).notes
    assert [note.name for note in notes] == ["loop/augmented"] * number
