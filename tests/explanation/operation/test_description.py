"""What is said of the operation that splits units: its cause, its operands, its script."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from symmetry.explanation.answer import STAYS_SYMMETRIC
from symmetry.explanation.operation.description import Layout, difference, jump
from symmetry.explanation.search.location import Location
from tests.conftest import slow
from tests.explanation.operation.captured import along, captured
from tests.explanation.steps import (
    FACTOR,
    add_to_one_entry,
    changed,
    culprit,
    cumulative,
    dropout,
    explained,
    faulty,
    loop_over_blocks,
    multiply_last_unit,
    run_script,
    start,
    step,
    unit_by_unit,
    where_by_number,
)


@pytest.mark.parametrize(
    ("location", "control", "places"),
    [
        (along(0, 0, 1), None, {0: 0, 1: 1, 2: 2}),
        (along(0, 1, 3), None, {0: 1, 1: 3, 2: 5}),  # two rows for each unit, and one before
        (along(0, 4, 5), None, {0: 4, 1: 5}),  # unit 2 lies behind the end
        (along(0, 1, 0), along(0, 1, 2), {0: 1, 1: 0}),  # the control has the usual one, too
        (along(0, 1, 0), along(0, 0, 2), {0: 0, 1: 1, 2: 2}),
        (Location("entries", i=np.array([0]), j=np.array([1])), None, {}),
    ],
)
def test_clones_lie_as_far_apart_as_the_two(location, control, places):
    operation = captured(np.zeros((6, 2)), location, control=control)
    assert Layout(operation).places == places


def test_two_that_are_no_neighbours_may_leave_no_even_stride():
    operation = captured(np.zeros((6, 2)), along(0, 0, 3), exchanged=(0, 2))
    assert Layout(operation).places == {0: 0, 2: 3}


def test_the_entries_of_a_unit_are_its_row_or_column():
    entries = Layout(captured(np.zeros((2, 3)), along(1, 0, 1))).entries
    assert {unit: flat.tolist() for unit, flat in entries.items()} == {
        0: [0, 3],
        1: [1, 4],
        2: [2, 5],
    }
    lone = Location("entries", i=np.array([4]), j=np.array([5]))
    entries = Layout(captured(np.zeros((2, 3)), lone)).entries
    assert {unit: flat.tolist() for unit, flat in entries.items()} == {0: [4], 1: [5]}


def test_rows_that_are_not_the_usual_ones_are_named():
    result = np.array([[1.0, 2], [1, 3], [1, 2]])
    assert Layout(captured(result, along(0, 0, 1))).odd_rows() == "row 1"
    assert Layout(captured(result.T, along(1, 0, 1))).odd_rows() == "column 1"
    lone = Location("entries", i=np.array([0]), j=np.array([1]))
    assert Layout(captured(result, lone)).odd_rows() == ""


RESULT = np.array([[1, 1], [2, 1], [1, 1]], np.float32)


def test_units_are_grouped_by_their_entries_and_compared_with_the_usual_one():
    operation = captured(RESULT, along(0, 0, 1))
    found = difference(operation, Layout(operation), "a jump")
    assert found.groups == "unit 1 alone"
    assert found.ulps == 2**23  # floats between 1 and 2
    assert found.relative == pytest.approx(0.5)
    assert found.size == "a jump"


def test_an_exchange_without_groups_and_units_without_entries_have_no_numbers():
    operation = captured(RESULT, along(0, 0, 1), groups=())
    found = difference(operation, Layout(operation), "")
    assert (found.groups, found.ulps, found.relative) == ("units 0 and 1, exchanged", None, 0.0)
    operation = captured(np.float32(1), Location("alone"))
    assert difference(operation, Layout(operation), "").ulps is None


@pytest.mark.parametrize(
    ("deviation", "rounding", "words"),
    [
        (3.0, 1e-3, "a jump: 3e+03 times what rounding can do"),
        (3.0, 0.0, "a jump: rounding cannot move it"),
        (np.inf, 1.0, "a jump: rounding cannot move it"),
    ],
)
def test_a_jump_is_told_in_multiples_of_rounding(deviation, rounding, words):
    operation = captured(RESULT, along(0, 0, 1), deviation=deviation, rounding=rounding)
    assert jump(operation) == words


def next_number(g1):
    g1[:, 4] = np.nextafter(g1[:, 4], np.float32(1))


def by_index(g1):
    g1[:, [2, 5]] *= FACTOR


def noise_built_first(w1):
    noise = np.zeros(w1.shape[1], np.float32)
    noise[3] = 1e-7
    return w1 + noise


def winner(hidden):
    return hidden * (np.arange(hidden.shape[1]) == hidden.argmax(axis=1)[:, None])


CASES = [
    (faulty(g1=changed(multiply_last_unit)), "multiply", "the last 1 of 12"),
    slow(faulty(weights=changed(add_to_one_entry)), "setitem", "unit 3 alone"),
    slow(faulty(weights=noise_built_first), "add", "unit 3 alone"),
    slow(faulty(g1=changed(next_number)), "setitem", "unit 4 alone"),
    (faulty(g1=changed(by_index)), "multiply", "units 0, 1, 3, 4, 6-11 | units 2, 5"),
    slow(faulty(g1=where_by_number), "where", "every 3rd unit from 0"),
    (faulty(hidden=cumulative), "cumsum", "all 12 differ"),
    (faulty(hidden=dropout), "random.random", "all 12 differ"),
    (faulty(hidden=winner), "equal", "the first 1 of 12"),
]


def name_of(case):
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("faulty_step", "name", "groups"), CASES, ids=name_of)
def test_the_operation_is_named_and_its_script_shows_it(faulty_step, name, groups, tmp_path):
    found = culprit(faulty_step)
    assert found.operation == name
    assert found.difference.groups == groups
    assert found.file in (
        "tests/explanation/operation/test_description.py",
        "tests/explanation/steps.py",
    )
    assert found.source
    if not found.cause.startswith("unit "):  # one unit alone: there is nothing to make equal
        assert STAYS_SYMMETRIC in found.evidence
        assert found.difference.relative > 0
    if found.operation != "getitem" and found.script is not None:
        assert not run_script(found, tmp_path).endswith(("[]", "False", ": 0"))


def test_a_block_with_another_argument():
    found = culprit(faulty(g1=loop_over_blocks(FACTOR)))
    assert found.operation == "multiply"
    assert (
        found.source
        == "filled[:, first : first + 4] = block * (factor if first >= 8 else np.float32(1))"
    )
    assert found.cause.startswith("unit 8 goes through it, and unit ")
    assert found.difference.groups == "the last 4 of 12"


def test_a_unit_that_is_made_by_another_operation():
    found = culprit(faulty(hidden=unit_by_unit(np.sin)))
    assert found.operation == "sin"
    assert found.cause == "unit 2 goes through it, and unit 5 through no such operation"
    assert found.pair == (2, 5)


def test_a_unit_that_gets_an_operation_more():
    found = culprit(faulty(hidden=unit_by_unit(lambda column: np.tanh(column) * FACTOR)))
    assert found.operation == "multiply"
    assert found.cause == "unit 2 goes through it, and unit 5 through no such operation"


def test_a_loop_that_forgets_the_last_unit():
    def forget(g1):
        filled = np.zeros_like(g1)
        for unit in range(g1.shape[1] - 1):
            filled[:, unit] = g1[:, unit]
        return filled

    found = culprit(faulty(g1=forget))
    assert found.operation == "setitem"
    assert found.cause == "unit 4 goes through it, and unit 11 through no such operation"
    assert found.difference.groups == "the last 1 of 12"


def test_where_a_constant_was_built():
    found = culprit(faulty(weights=noise_built_first))
    assert found.cause.endswith("operand 2, which differs between them")
    assert found.remarks[0].startswith("operand 2 was made by setitem (tests/explanation/")


def test_what_is_written_has_an_origin():
    found = culprit(faulty(g1=changed(next_number)))
    assert found.remarks[0].startswith("the values that it writes were made by nextafter (")


def test_code_that_is_not_observed_is_told_as_such():
    def leave_numpy(hidden):
        content = bytearray(np.ascontiguousarray(hidden).tobytes())
        array = np.frombuffer(content, hidden.dtype).reshape(hidden.shape)
        array[:, 1] *= FACTOR
        return array

    found = culprit(faulty(hidden=leave_numpy))
    assert found.operation == "concatenate"
    assert found.cause == "operand 2 already differs; it comes from code that was not observed"


def test_a_wrong_slice_is_a_part_of_a_symmetric_array():
    def back(x, y, w1, w2, lr):
        new_w1, new_w2 = step(x, y, w1, w2, lr)
        return new_w1 + w2[:-1, 0], new_w2

    found = culprit(back)
    assert found.operation == "add"
    assert found.difference.groups == "the first 1 of 12"


def rows_of_others(x, y, w1, w2, lr):
    """Take the slice that begins with the bias: each unit's gradient is that of another one."""
    inputs = np.concatenate([np.ones_like(x[:, :1]), x], axis=1)
    hidden = 1 / (1 + np.exp(-(inputs @ w1)))
    delta = (hidden @ w2[1:] + w2[0] - y) / len(x)
    back = (delta @ w2[:-1].T) * hidden * (1 - hidden)
    g2 = np.vstack([delta.sum(0), hidden.T @ delta])
    return w1 - w1.dtype.type(lr) * inputs.T @ back, w2 - w2.dtype.type(lr) * g2


@pytest.mark.parametrize("data", ["unit", "pixels"])  # of pixels, the products are tiny
def test_units_at_the_places_of_others_are_named_where_they_meet(data):
    found = culprit(rows_of_others, start(hidden=100, n=50, data=data, lr=0.01))
    assert (found.operation, found.line) == ("multiply", line_of(rows_of_others, "w2[:-1]"))
    assert found.cause == "operand 2 holds the units at other positions"


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + next(n for n, line in enumerate(lines) if text in line)


def test_units_at_the_places_of_others_are_named_where_all_values_have_one_size():
    """Of the first gradient and its root mean square the quotients are 1 and -1."""

    def scaled(x, y, w1, w2, lr):
        new_w1, new_w2 = step(x, y, w1, w2, lr)
        g2 = w2 - new_w2
        square = np.roll(g2 * g2, 1, axis=0)
        return new_w1, w2 - g2 / (np.sqrt(square) + np.float32(1e-8))

    found = explained(scaled).culprits[0]
    assert found.operation == "roll"
    assert found.cause == "operand 2 holds the units at other positions"
