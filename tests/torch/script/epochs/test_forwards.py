"""The calls of a script's models: modes, batches, and what is done with the result."""

from __future__ import annotations

import pytest
from torch import nn

from symmetry.torch.script.epochs.forwards import reacting
from symmetry.training.events import Called, Switched
from tests.torch.script.epochs.helpers import run


def calls(folder, text):
    return run(folder, text + "\ntrain()").of(Called)


def test_a_call_in_training_mode(folder):
    call = calls(folder, "")[0]
    assert (call.gradient, call.training, call.is_used) == (True, True, True)
    assert (call.dropouts, call.statistics) == (("2",), ("1",))
    assert call.shapes == ("8 x 4",)
    assert call.batch is not None


def test_a_call_in_evaluation_mode(folder):
    text = "model.eval()\nwith torch.no_grad():\n    model(torch.zeros(2, 4))\nmodel.train()"
    call = calls(folder, text)[0]
    assert (call.gradient, call.training, call.batch) == (False, False, None)
    assert (call.dropouts, call.statistics) == ((), ())


@pytest.mark.parametrize(
    ("line", "is_used"),
    [("model(x)", False), ("z = model(x)", True), ("print(model(x).sum())", True)],
)
def test_whether_the_result_is_used(folder, line, is_used):
    assert calls(folder, f"x = torch.zeros(2, 4)\n{line}")[0].is_used is is_used


def test_inner_calls_and_losses_are_no_calls_of_models(folder):
    text = "loss = nn.MSELoss()\nloss(model(torch.zeros(2, 4)), torch.zeros(2, 3)).item()"
    first = calls(folder, text)
    assert {call.model for call in first} == {0}
    assert len(first) == 3  # and two batches of the epoch


def test_equal_inputs_have_equal_digests(folder):
    text = "x = torch.zeros(2, 4)\nmodel(x), model(x + 0), model(x + 1)"
    one, same, other, *_ = (call.digest for call in calls(folder, text))
    assert one == same != other


def test_a_switch_is_one_event_for_all_modules_within(folder):
    switched = run(folder, "model.eval()\nmodel.train()\ntrain()").of(Switched)
    assert [event.training for event in switched] == [False, True]


def test_which_layers_react_to_the_mode():
    model = nn.ModuleDict(
        {
            "drop": nn.Dropout(0.1),
            "off": nn.Dropout(0.0),
            "rnn": nn.LSTM(2, 2, 2, dropout=0.1),
            "norm": nn.BatchNorm1d(2),
            "plain": nn.BatchNorm1d(2, track_running_stats=False),
        }
    )
    dropouts, statistics = reacting(model)
    assert [name for name, _ in dropouts] == ["drop", "rnn"]
    assert [name for name, _ in statistics] == ["norm"]
