"""What losses are given, call by call: what is wrong with it, and what only looks like it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from symmetry.invariants.loss.contracts import faults_of
from tests.invariants.loss.judging import call, data, trained

LOGITS = trained([1.0, -2.0, 0.5], [0.3, 0.1, -1.0])
PROBABILITIES = trained([0.2, 0.5, 0.3], [0.6, 0.3, 0.1], makers=("softmax",))
LOGARITHMS = trained(*np.log([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]), makers=("logsoftmax",))
OVER_SAMPLES = trained([0.2, 0.5, 0.3], [0.8, 0.5, 0.7], makers=("softmax",))
SIGMOID = trained([0.2, 0.9, 0.4], [0.5, 0.1, 0.8], makers=("view", "sigmoid"))
LABELS = data(0, 2, dtype=int)
SOFT = data([0.2, 0.5, 0.3], [0.6, 0.3, 0.1])
COLUMN = trained([0.3], [0.9])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (call("cross_entropy", input=PROBABILITIES, target=LABELS), "applies softmax to them"),
        (call("cross_entropy", input=OVER_SAMPLES, target=LABELS), "normalised along axis 0"),
        (call("cross_entropy", input=OVER_SAMPLES, target=LABELS), "Leave it out: cross_entropy"),
        (call("cross_entropy", input=COLUMN, target=LABELS), "it is always zero"),
        (
            call(
                "cross_entropy",
                input=trained([0.2, 0.9, 0.4], makers=("view", "sigmoid")),
                target=LABELS,
            ),
            "output of a sigmoid",
        ),
        (call("nll_loss", input=PROBABILITIES, target=LABELS), "defined on their logarithms"),
        (call("nll_loss", input=LOGITS, target=LABELS), "output of a linear layer"),
        (
            call("binary_cross_entropy_with_logits", input=PROBABILITIES, target=SOFT),
            "output of a softmax and applies a sigmoid",
        ),
        (
            call("binary_cross_entropy", input=PROBABILITIES, target=data([-1, 1, 1])),
            "between -1 and 1",
        ),
        (
            call("binary_cross_entropy_with_logits", input=data([0, 1, 1]), target=LOGITS),
            "between -2 and 1, for its targets, and the labels for its input",
        ),
        (call("cross_entropy", input=SOFT, target=LOGITS), "exchange the two arguments"),
        (call("kl_div", input=PROBABILITIES, target=SOFT), "use log_softmax"),
        (
            call("Categorical", logits=PROBABILITIES),
            "pass them as probs=..., or give it the logits",
        ),
        (call("Bernoulli", logits=SIGMOID), "output of a sigmoid and applies a sigmoid to it"),
        (call("kl_div", input=LOGARITHMS, target=data([-1.0, -0.5, -3.0])), "log_target=True"),
        (
            call("kl_div", {"log_target": True}, input=LOGARITHMS, target=SOFT),
            "leave it out",
        ),
        (call("ctc_loss", log_probs=LOGITS, targets=LABELS), "logarithms of probabilities"),
        (
            call("soft_margin_loss", input=LOGITS, target=data([0, 1, 1])),
            "defined on -1 and 1",
        ),
    ],
)
def test_what_a_loss_is_not_defined_on_is_certain(wrong, text):
    (fault,) = faults_of(wrong)
    assert fault.certain
    assert re.search(text, fault.text)


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (
            call("cross_entropy", input=trained([1.0, 0.0, 2.0], makers=("relu",)), target=LABELS),
            "output of a ReLU, which bounds",
        ),
        (
            call("nll_loss", input=trained([1.0, -2.0, 0.5], makers=("mul",)), target=LABELS),
            "is given numbers whose",
        ),
        (
            call("mse_loss", input=trained([0.0, 1.0], makers=("relu",)), target=data([-1.0, 1.0])),
            "cannot reach",
        ),
    ],
)
def test_what_is_usually_a_mistake_is_no_violation(odd, text):
    (fault,) = faults_of(odd)
    assert not fault.certain
    assert text in fault.text


@pytest.mark.parametrize("name", ["input", "target"])
def test_a_goal_with_a_gradient_is_no_violation(name):
    given = call("smooth_l1_loss", input=trained([0.0, 1.0]), target=trained([0.5, 2.0]))
    (fault,) = faults_of(replace(given, bootstrapped=name))
    assert (fault.argument, fault.certain) == (name, False)
    assert "Compute the goal without a gradient" in fault.text
    assert not [*faults_of(given)]


@pytest.mark.parametrize(
    "sound",
    [
        call("cross_entropy", input=LOGITS, target=LABELS),
        call("cross_entropy", input=LOGARITHMS, target=LABELS),
        call("cross_entropy", input=SOFT, target=LABELS),
        call("nll_loss", input=LOGARITHMS, target=LABELS),
        call("binary_cross_entropy", input=PROBABILITIES, target=SOFT),
        call("binary_cross_entropy_with_logits", input=LOGITS, target=data([0.0, 1.1, 0.9])),
        call("binary_cross_entropy_with_logits", input=LOGITS, target=data([0, 1, 1])),
        call("binary_cross_entropy", input=SOFT, target=PROBABILITIES),  # its learned targets
        call("cross_entropy", input=data([3.0, -1.0, 0.2]), target=trained([0.2, 0.5, 0.3])),
        call("kl_div", {"log_target": False}, input=LOGARITHMS, target=SOFT),
        call("kl_div", {"log_target": True}, input=LOGARITHMS, target=data(*np.log([[0.5, 0.5]]))),
        call("Categorical", logits=LOGITS),
        call("Categorical", logits=LOGARITHMS),
        call("Categorical", logits=OVER_SAMPLES),
        call("Bernoulli", logits=LOGITS),
        call("ctc_loss", log_probs=LOGARITHMS, targets=LABELS),
        call("soft_margin_loss", input=LOGITS, target=data([-1, 1, 1])),
        call("hinge_embedding_loss", input=LOGITS, target=data([1, 1, 1])),
        call("mse_loss", input=trained([0.0, 1.0], makers=("relu",)), target=data([0.0, 9.0])),
        call("mse_loss", input=SOFT, target=LOGITS),
        call("triplet_margin_loss", anchor=PROBABILITIES, positive=SOFT, negative=SOFT),
    ],
)
def test_what_a_loss_is_defined_on_passes(sound):
    assert list(faults_of(sound)) == []
