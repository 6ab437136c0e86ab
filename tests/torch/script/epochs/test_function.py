"""The evaluation of a function between its steps: sound ones, and broken ones with their line."""

from __future__ import annotations

import inspect

import pytest
from torch import nn

from symmetry.base.errors import TrainingError
from symmetry.invariants.loop.evaluation import evaluations
from symmetry.invariants.loop.modes import modes
from symmetry.training.events import Evaluated, Updated
from symmetry.training.target import FunctionTraining
from tests.torch.script.epochs import evaluations as functions

DROPOUT = nn.Dropout(0.5)


def run(evaluation, **facts):
    return FunctionTraining("f", functions.made(evaluation, **facts)).epochs()


@pytest.mark.parametrize(
    ("evaluation", "facts"),
    [
        (functions.sound, {}),
        (functions.sound, {"norm": DROPOUT}),
        (functions.sound, {"clears": False}),
        (functions.sound_with_random_numbers, {}),
        (functions.sound_on_a_copy, {}),
        (functions.sound_adversary, {}),
        (functions.sound_gradients_that_the_next_step_clears, {}),
        (functions.sound_uncertainty, {"norm": DROPOUT}),
        (functions.left_in_evaluation_mode, {"norm": nn.LayerNorm(8)}),
        (functions.in_training_mode, {"norm": nn.LayerNorm(8)}),
    ],
)
def test_sound_evaluations(evaluation, facts):
    epochs = run(evaluation, **facts)
    updates = [event for event in epochs.of(Updated) if event.optimizer == 0]
    assert (len(updates), len(epochs.of(Evaluated))) == (3, 3)
    for law in (modes, evaluations):
        assert law(epochs).accusations == []


@pytest.mark.parametrize(
    ("evaluation", "facts", "law", "at", "words"),
    [
        (functions.left_in_evaluation_mode, {}, modes, "model.eval()", "eval() is never undone"),
        (functions.in_training_mode, {}, evaluations, "model(x)", "in training mode: the running"),
        (
            functions.in_training_mode,
            {"norm": DROPOUT},
            evaluations,
            "model(x)",
            "1 dropout is active",
        ),
        (
            functions.leaves_gradients,
            {"clears": False},
            evaluations,
            "backward()",
            "the gradient of model.0.weight",
        ),
        (functions.takes_an_update, {}, evaluations, "optimizer.step()", "It has changed model.0"),
        (functions.rounds_the_weights, {}, evaluations, "def evaluate", "It has changed model.0"),
    ],
)
def test_broken_evaluations(evaluation, facts, law, at, words):
    (accusation,) = law(run(evaluation, **facts)).accusations
    assert words in accusation.text
    owner = functions.made if at == "def evaluate" else evaluation
    lines, first = inspect.getsourcelines(owner)
    assert accusation.at.line == first + next(n for n, line in enumerate(lines) if at in line)


def test_an_evaluation_that_restores_a_state_is_not_judged():
    judgement = evaluations(run(functions.restores_a_state))
    assert judgement.accusations == []
    assert "restores a state" in judgement.why


def test_a_function_without_evaluate_has_no_epochs():
    def training():
        model, step, _ = functions.made(functions.sound)()
        return model, step

    assert FunctionTraining("f", training).epochs() is None


@pytest.mark.parametrize("evaluate", [lambda model: model.eval(), lambda model=None: None])
def test_evaluate_may_take_the_model(evaluate):
    def training():
        model, step, _ = functions.made(functions.sound)()
        return model, step, {"evaluate": evaluate}

    assert FunctionTraining("f", training).epochs().of(Evaluated)


@pytest.mark.parametrize(
    ("evaluate", "words"),
    [
        (7, 'extras["evaluate"] must be a function that takes nothing, or the model'),
        (lambda a, b: None, 'extras["evaluate"] must be a function'),
        (lambda: 1 / 0, r"evaluate\(\) raised ZeroDivisionError"),
    ],
)
def test_an_evaluate_that_cannot_be_called(evaluate, words):
    def training():
        model, step, _ = functions.made(functions.sound)()
        return model, step, {"evaluate": evaluate}

    words = words if "raised" in words else words.replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(TrainingError, match=words):
        FunctionTraining("f", training).epochs()
