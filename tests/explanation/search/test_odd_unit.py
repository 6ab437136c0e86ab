"""Which operations are found in steps with one fault each, and which are not accused."""

from __future__ import annotations

import numpy as np

from tests.explanation.steps import (
    FACTOR,
    changed,
    culprit,
    dropout,
    explained,
    faulty,
    loop_over_blocks,
    multiply_last_unit,
    start,
    step,
    unit_by_unit,
    where_by_number,
)


def test_blocks_and_loops_that_treat_all_units_alike_are_sound():
    sound = faulty(g1=loop_over_blocks(np.float32(1)), hidden=unit_by_unit(np.tanh))
    assert explained(sound).outcome == "nothing split"


def test_the_hidden_axis_is_found_where_all_lengths_are_equal():
    square = start(n=6, i=6, c=6, hidden=6)
    found = culprit(faulty(g1=where_by_number), square)
    assert found.operation == "where"
    assert found.difference.groups == "units 0, 3 | units 1, 2, 4, 5"


def test_clones_are_compared_with_clones():
    explanation = explained(faulty(g1=changed(multiply_last_unit)), start("cloned"))
    assert explanation.culprits[0].operation == "multiply"
    assert explanation.step == 1


def test_units_of_different_classes_may_differ():
    assert explained(step, start("cloned")).outcome == "nothing split"


def test_what_is_only_looked_at_is_no_culprit():
    def curious(x, y, w1, w2, lr):
        np.argsort(abs(w1).sum(axis=0))
        w1[:, 3].max()
        w1, w2 = step(x, y, w1, w2, lr)
        w2[-1] *= FACTOR
        return w1, w2

    (found,) = explained(curious).culprits
    assert found.source == "w2[-1] *= FACTOR"


def test_an_order_of_which_python_takes_one_number_is_used():
    def pruning(x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        least = int(np.argsort(abs(w1).sum(axis=0))[0])
        w1[:, least] = 0
        return w1, w2

    assert culprit(pruning).operation == "argsort"


def test_a_number_that_all_units_are_divided_by_is_used():
    def normed(x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        size = np.linalg.norm(w1[:, :4])
        return w1 / (1 + size), w2

    assert culprit(normed, start("cloned")).operation == "norm"


def test_the_same_twice():
    assert explained(faulty(hidden=dropout)) == explained(faulty(hidden=dropout))


def test_what_happens_to_lie_in_fresh_memory_is_no_difference():
    def column_by_column(hidden):
        filled = np.empty_like(hidden)  # what is written over is another thing in each run
        for unit in range(hidden.shape[1]):
            filled[:, unit] = np.tanh(hidden[:, unit])
        return filled

    assert explained(faulty(hidden=column_by_column)).outcome == "nothing split"
    broken = faulty(hidden=column_by_column, g1=changed(multiply_last_unit))
    for _ in range(3):
        assert culprit(broken, start("cloned")).operation == "multiply"
