"""Forward, backward or update: what the weights of two-layer steps tell."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.law.case import Case
from symmetry.network.formulas import step
from symmetry.steps.cases.recipes import start_of_case
from symmetry.steps.phase import phase_of

START = start_of_case(Case(9, 4, 5, 3, 0.5, 1, "float64", "normals", "scaled", 0))
WEIGHTS = {"w1": START.w1, "w2": START.w2}


def taken(lr=0.5, x=START.x):
    w1, w2 = step(x, START.y, START.w1, START.w2, lr)
    return {"w1": w1, "w2": w2}


def told(theirs, *, alone=True):
    responses = {"w1": 1e-15, "w2": 1e-15}
    return phase_of(WEIGHTS, taken(), theirs, responses, 16, alone=alone)


def with_hidden_rows(factor, name="w2"):
    theirs, mine = taken(), taken()
    theirs[name][1:] = WEIGHTS[name][1:] + factor * (mine[name][1:] - WEIGHTS[name][1:])
    return theirs


@pytest.mark.parametrize("factor", [0.5, 2.0, -1.0])
def test_another_rate_is_another_update(factor):
    text = f"all weights move {factor:g} times as far"
    assert told(taken(0.5 * factor)) == ("update", text)


def test_decay_is_another_update():
    theirs = {name: array - 0.01 * WEIGHTS[name] for name, array in taken().items()}
    assert told(theirs) == (
        "update",
        "the weights change by -0.01 of themselves beside the gradient",
    )


def test_what_a_step_keeps_is_another_update():
    phase, text = told(with_hidden_rows(2.0), alone=False)
    assert phase == "update"
    assert "a fresh step from there agrees" in text


def test_another_error_of_the_outputs_is_another_forward():
    phase, text = told(taken(x=START.x + 0.1))
    assert phase == "forward"
    assert text.startswith("the bias row of w2 moves otherwise")


def test_what_the_bias_row_does_not_show_is_the_backward():
    phase, text = told(with_hidden_rows(2.0))
    assert (phase, text.rpartition("; ")[2]) == ("backward", "the hidden rows of w2 do not")
    phase, text = told(with_hidden_rows(2.0, "w1"))
    assert (phase, text.rpartition("; ")[2]) == ("backward", "w1 does not")
    both = with_hidden_rows(2.0) | {"w1": with_hidden_rows(3.0, "w1")["w1"]}
    assert told(both)[1].endswith("the hidden rows of w2 and w1 do not")


def test_weights_that_do_not_move_at_all_move_no_times_as_far():
    assert told(WEIGHTS) == ("update", "all weights move 0 times as far")
    still = {name: np.array(array) for name, array in WEIGHTS.items()}
    found = phase_of(WEIGHTS, WEIGHTS, still, {"w1": 0.0, "w2": 0.0}, 16, alone=True)
    assert found[0] == "update"
