"""Steps in NumPy with one fault each, and what is said of them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.culprit.answer import NOT_THE_CAUSE, ROUNDING, STAYS_SYMMETRIC, STILL_SPLITS
from symmetry.culprit.explain import explain_case, explain_step
from symmetry.steps.case import Case
from symmetry.steps.recipes import start_of_case
from symmetry.targets.resolve import as_step_target, resolve
from tests.culprit.steps import HIDDEN, changed, culprit, explained, faulty, run_script, start, step
from tests.faulty import FAULTY
from tests.sound import SOUND

FACTOR = np.float32(1.01)
RNG = np.random.default_rng(7)
MASK = np.array([1] * 5 + [0] + [1] * 20, dtype=np.float32)


def multiply_last_unit(g1):
    g1[:, -1] *= FACTOR


def multiply_last_row(g2):
    g2[-1] *= FACTOR


def add_to_one_unit(w1):
    w1[:, 3] += np.float32(1e-7)


def add_to_one_entry(w1):
    w1[0, 3] += np.float32(1e-7)


def next_number(g1):
    g1[:, 4] = np.nextafter(g1[:, 4], np.float32(1))


def half_precision(g1):
    g1[:, -4:] = g1[:, -4:].astype(np.float16)


def by_index(g1):
    g1[:, [2, 5]] *= FACTOR


def clip_some(g1):
    np.clip(g1[:, :5], -1e-4, 1e-4, out=g1[:, :5])


def noise_built_first(w1):
    noise = np.zeros(w1.shape[1], np.float32)
    noise[3] = 1e-7
    return w1 + noise


def where_by_number(g1):
    return np.where(np.arange(g1.shape[1]) % 3 == 0, g1 * 2, g1)


def cumulative(hidden):
    return hidden + np.cumsum(hidden, axis=1) * np.float32(1e-3)


def dropout(hidden):
    return hidden * (RNG.random(hidden.shape) < 0.8)


def winner(hidden):
    return hidden * (np.arange(hidden.shape[1]) == hidden.argmax(axis=1)[:, None])


def padded(g1):
    room = np.zeros((len(g1), -(-g1.shape[1] // 16) * 16), np.float32)
    room[:, : g1.shape[1]] = g1
    room = room + room
    room[:, 8:] *= FACTOR
    return room[:, : g1.shape[1]] / 2


def flattened(g1):
    flat = np.concatenate([g1.ravel(), g1.ravel()])
    flat[3] += np.float32(1e-4)
    return flat[: g1.size].reshape(g1.shape)


def module_mask(hidden):
    return hidden * MASK[: hidden.shape[1]]


CASES = [
    (faulty(g1=changed(multiply_last_unit)), "multiply", "the last 1 of 12"),
    (faulty(weights=changed(add_to_one_unit)), "add", "unit 3 alone"),
    (faulty(weights=changed(add_to_one_entry)), "setitem", "unit 3 alone"),
    (faulty(weights=noise_built_first), "add", "unit 3 alone"),
    (faulty(g1=changed(next_number)), "setitem", "unit 4 alone"),
    (faulty(g1=changed(half_precision)), "setitem", "the last 4 of 12"),
    (faulty(g1=changed(by_index)), "multiply", "units 0, 1, 3, 4, 6-11 | units 2, 5"),
    (faulty(g1=changed(clip_some)), "clip", "the first 5 of 12"),
    (faulty(g1=where_by_number), "where", "every 3rd unit from 0"),
    (faulty(hidden=cumulative), "cumsum", "all 12 differ"),
    (faulty(hidden=dropout), "random.random", "all 12 differ"),
    (faulty(hidden=winner), "equal", "the first 1 of 12"),
    (faulty(g1=padded), "multiply", "the last 4 of 12"),
    (faulty(g1=flattened), "setitem", "unit 3 alone"),
    (faulty(hidden=module_mask), "multiply", "unit 5 alone"),
]


def name_of(case):
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("faulty_step", "name", "groups"), CASES, ids=name_of)
def test_the_operation_is_named_and_its_script_shows_it(faulty_step, name, groups, tmp_path):
    found = culprit(faulty_step)
    assert found.operation == name
    assert found.difference.groups == groups
    assert found.file == "tests/culprit/test_search.py"
    assert found.source
    if not found.cause.startswith("unit "):  # one unit alone: there is nothing to make equal
        assert STAYS_SYMMETRIC in found.evidence
        assert found.difference.relative > 0
    if found.operation != "getitem" and found.script is not None:
        assert not run_script(found, tmp_path).endswith(("[]", "False", ": 0"))


def loop_over_blocks(factor):
    """Return a gradient that is copied block by block, the last ones times a factor."""

    def copy(g1):
        filled = np.empty_like(g1)
        for first in range(0, g1.shape[1], 4):
            block = g1[:, first : first + 4]
            filled[:, first : first + 4] = block * (factor if first >= 8 else np.float32(1))
        return filled

    return copy


def unit_by_unit(odd):
    """Return a hidden layer that is made unit by unit, by another function for unit 2."""

    def make(hidden):
        columns = [
            (odd if unit == 2 else np.tanh)(hidden[:, unit]) for unit in range(hidden.shape[1])
        ]
        return np.array(columns).T

    return make


def test_blocks_and_loops_that_treat_all_units_alike_are_sound():
    sound = faulty(g1=loop_over_blocks(np.float32(1)), hidden=unit_by_unit(np.tanh))
    assert explained(sound).outcome == "nothing split"


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
    assert found.remarks[0].startswith("operand 2 was made by setitem (tests/culprit/")


def test_what_is_written_has_an_origin():
    found = culprit(faulty(g1=changed(next_number)))
    assert found.remarks[0].startswith("what it writes was made by nextafter (")


def test_code_that_is_not_observed_is_told_as_such():
    def leave_numpy(hidden):
        content = bytearray(np.ascontiguousarray(hidden).tobytes())
        array = np.frombuffer(content, hidden.dtype).reshape(hidden.shape)
        array[:, 1] *= FACTOR
        return array

    found = culprit(faulty(hidden=leave_numpy))
    assert found.operation == "concatenate"
    assert found.cause == "operand 2 already differs; it comes from code that was not observed"


def test_code_that_is_not_observed_at_the_very_end():
    def lost(x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        content = bytearray(np.ascontiguousarray(w1).tobytes())
        array = np.frombuffer(content, w1.dtype).reshape(w1.shape)
        array[:, 1] += 1
        return array, w2

    explanation = explained(lost)
    assert explanation.outcome == "not reached"
    assert (explanation.step, explanation.array) == (1, "w1")
    assert explanation.culprits == ()


def test_a_wrong_slice_is_a_part_of_a_symmetric_array():
    def back(x, y, w1, w2, lr):
        new_w1, new_w2 = step(x, y, w1, w2, lr)
        return new_w1 + w2[:-1, 0], new_w2

    found = culprit(back)
    assert found.operation == "add"
    assert found.difference.groups == "the first 1 of 12"


def test_shuffling_units_splits_none_and_is_seen_when_two_are_exchanged():
    def shuffle(hidden):
        order = np.argsort(RNG.random(hidden.shape[1]))
        assert (np.eye(hidden.shape[1])[order].sum(axis=0) == 1).all()
        return hidden[:, order]

    explanation = explained(faulty(hidden=shuffle))
    assert explanation.difference is None
    assert explanation.culprits[0].source == "return hidden[:, order]"
    found = culprit_among(faulty(hidden=shuffle, g1=changed(multiply_last_unit)))
    assert found.operation == "multiply"


def culprit_among(faulty_step):
    (found,) = explained(faulty_step).culprits
    return found


def test_that_a_second_fault_is_left_is_said():
    explanation = explained(faulty(hidden=cumulative, g2=changed(multiply_last_row)))
    (found,) = explanation.culprits
    assert found.operation == "cumsum"
    assert STILL_SPLITS in found.evidence


def rounded(hidden):
    """Return a hidden layer of which unit 0 is an ulp off, as a product may leave it."""
    factors = np.ones(hidden.shape[1], np.float32)
    factors[0] += np.float32(2e-7)
    return hidden * factors


def scale_all_but_one(g1):
    g1[:, 1:] *= FACTOR


def test_rounding_before_it_does_not_hide_what_one_unit_lacks():
    explanation = explained(faulty(hidden=rounded, g1=changed(scale_all_but_one)), start("cloned"))
    jump, rounding = explanation.culprits
    assert jump.source == "g1[:, 1:] *= FACTOR"
    assert rounding.source == "return hidden * factors"
    assert rounding.difference.size == f"{ROUNDING}: {NOT_THE_CAUSE}"


def test_a_jump_in_a_later_step_comes_before_the_rounding_of_the_first():
    explanation = explained(faulty(hidden=rounded, g1=np.triu))
    jump, rounding = explanation.culprits
    assert (explanation.outcome, explanation.step) == ("explained", 2)
    assert (jump.operation, jump.step) == ("triu", 2)
    assert (rounding.source, rounding.step) == ("return hidden * factors", 1)


def test_the_hidden_axis_is_found_where_all_lengths_are_equal():
    square = start(n=6, i=6, c=6, hidden=6)
    found = culprit(faulty(g1=where_by_number), square)
    assert found.operation == "where"
    assert found.difference.groups == "units 0, 3 | units 1, 2, 4, 5"


def test_a_step_that_takes_only_this_number_of_units():
    def only_twelve(x, y, w1, w2, lr):
        if w1.shape[1] != HIDDEN:
            raise ValueError("twelve!")
        return faulty(g1=changed(multiply_last_unit))(x, y, w1, w2, lr)

    explanation = explained(only_twelve)
    assert explanation.culprits[0].operation == "multiply"
    assert explanation.remarks == ()


def test_a_step_that_refuses_observed_arrays():
    def strict(x, y, w1, w2, lr):
        assert type(x) is np.ndarray
        return faulty(g1=changed(multiply_last_unit))(x, y, w1, w2, lr)

    explanation = explained(strict)
    assert explanation.culprits[0].operation == "multiply"
    assert explanation.remarks[0].startswith("the step does not take a subclass")


def test_clones_are_compared_with_clones():
    explanation = explained(faulty(g1=changed(multiply_last_unit)), start("cloned"))
    assert explanation.culprits[0].operation == "multiply"
    assert explanation.step == 1


def test_units_of_different_classes_may_differ():
    assert explained(step, start("cloned")).outcome == "nothing split"


def test_a_step_that_does_not_move_from_zero_starts_elsewhere():
    def rectified(x, y, w1, w2, lr):
        hidden = np.maximum(x @ w1[1:], 0)
        hidden[:, -2:] *= FACTOR
        delta = hidden @ w2[1:] - y
        g2 = hidden[:, :, None] * delta[:, None, :]
        w2[1:] -= lr * g2.mean(axis=0)
        return w1, w2

    explanation = explained(rectified)
    assert explanation.culprits[0].operation == "multiply"
    assert "started equal but not at zero" in explanation.remarks[0]


def test_a_step_whose_hidden_units_do_not_move_from_zero_starts_elsewhere():
    def rectified(x, y, w1, w2, lr):
        hidden = np.maximum(x @ w1[1:] + w1[0], 0)
        delta = hidden @ w2[1:] + w2[0] - y
        back = (delta @ w2[1:].T) * (hidden > 0)
        back[:, 1:] *= FACTOR
        w2[0] -= lr * delta.mean(axis=0)
        return w1 - lr * np.vstack([back.sum(axis=0), x.T @ back]), w2

    assert explained(rectified).culprits[0].source == "back[:, 1:] *= FACTOR"


def test_a_break_in_a_later_iteration_of_a_trainer_with_state():
    class EveryThird:
        def __init__(self):
            self.calls = 0

        def __call__(self, x, y, w1, w2, lr):
            self.calls += 1
            w1, w2 = step(x, y, w1, w2, lr)
            if self.calls == 3:
                w2[4] *= FACTOR
            return w1, w2

    explanation = explained(EveryThird)
    assert explanation.step == 3
    assert explanation.culprits[0].step == 3
    assert explanation.culprits[0].difference.groups == "unit 3 alone"


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


def test_what_a_unit_lacks_comes_before_what_a_later_step_makes_of_it():
    class Momentum:
        def __init__(self):
            self.velocity = 0

        def __call__(self, x, y, w1, w2, lr):
            new_w1, new_w2 = step(x, y, w1, w2, lr)
            self.velocity = np.zeros_like(w1) + self.velocity
            self.velocity[:, :-1] *= np.float32(0.9)
            self.velocity += new_w1 - w1
            return w1 + self.velocity, new_w2

    found = explained(Momentum).culprits[0]
    assert found.source == "self.velocity[:, :-1] *= np.float32(0.9)"


def test_a_break_that_is_not_there_while_watched():
    def shy(x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        if type(x) is np.ndarray:
            w2[4] *= FACTOR
        return w1, w2

    assert explained(shy).outcome == "not while observed"


def test_units_that_start_different_have_no_symmetry():
    with pytest.raises(SymmetryError, match="no two hidden units start equal"):
        explained(step, start("scaled"))
    with pytest.raises(SymmetryError, match="no two hidden units start equal"):
        explained(step, start(hidden=1))


def test_a_step_that_raises():
    def broken(x, y, w1, w2, lr):
        raise ValueError("no")

    with pytest.raises(SymmetryError, match=r"step: the step raised ValueError: no \(test_search"):
        explained(broken)


def test_a_compiled_core_is_one_operation():
    explanation = explain_core()
    assert explanation.outcome == "nothing split"


def explain_core():
    return explain_step(resolve("numba"), start())


def test_the_same_twice():
    assert explained(faulty(hidden=dropout)) == explained(faulty(hidden=dropout))


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


@pytest.mark.parametrize("change", [multiply_last_unit, add_to_one_entry])
def test_a_case_whose_sizes_are_alike_is_looked_at_with_others(change):
    trainer = as_step_target(faulty(g1=changed(change)), "step")
    case = Case(1, 1, 4, 2, 0.5, 3, "float32", "unit", "zero", 0)
    (found,) = (explanation := explain_case(trainer, case)).culprits
    assert found.operation == ("multiply" if change is multiply_last_unit else "setitem")
    assert explanation.remarks[0] == "seen with 5 samples, 3 inputs, 6 hidden units, 2 classes"


def test_units_of_a_case_that_all_differ_are_cloned():
    case = Case(5, 3, 6, 2, 0.5, 3, "float32", "unit", "scaled", 0)
    trainer = as_step_target(faulty(g1=changed(multiply_last_unit)), "step")
    assert explain_case(trainer, case).culprits[0].operation == "multiply"


def test_a_case_that_fails_at_its_own_sizes_alone_is_looked_at_as_it_is():
    def few(g1):
        return changed(multiply_last_unit)(g1) if g1.shape[1] < 5 else g1

    case = Case(1, 1, 4, 2, 0.5, 3, "float32", "unit", "zero", 0)
    explanation = explain_case(as_step_target(faulty(g1=few), "step"), case)
    assert explanation.culprits[0].operation == "multiply"
    assert not any(remark.startswith("seen with") for remark in explanation.remarks)


def test_a_size_beyond_memory_is_refused():
    case = Case(10**6, 100, 10**2, 10, 0.1, 1, "float64", "unit", "zero", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("symmetry.base.memory.available", lambda: 10**6)
        with pytest.raises(SymmetryError, match="memory"):
            start_of_case(case)


BREAKING = [
    fault
    for fault in FAULTY
    if {"symmetry/w1-columns", "symmetry/w2-rows", "symmetry/clones"} & {*fault.caught_by}
]


@pytest.mark.parametrize("fault", BREAKING, ids=lambda fault: fault.name)
def test_the_zoo_is_explained(fault):
    dtype = getattr(fault.trainer, "dtypes", ["float32"])[0]
    hidden = (
        260 if "byte" in fault.name else 150 if "128" in fault.name or "tile" in fault.name else 19
    )
    for weights in ("zero", "cloned"):
        explanation = explained(
            fault.trainer, start(weights, hidden, dtype=dtype, n=24, iterations=4)
        )
        if explanation.step is not None:
            if explanation.outcome == "another way":
                assert "tests/faulty/" in explanation.remarks[-1]
                return
            assert explanation.outcome in ("explained", "rounding")
            assert "tests/faulty/" in explanation.culprits[0].file or (
                explanation.culprits[0].operation == "einsum"  # given a wrong operand
            )
            return
    assert fault.name in ("clipped_by_the_first_units_norm",)


@pytest.mark.parametrize("sound", SOUND[::3], ids=lambda sound: sound.name)
def test_sound_trainers_are_not_accused(sound):
    dtype = getattr(sound.trainer, "dtypes", ["float32"])[0]
    assert explained(sound.trainer, start(dtype=dtype)).outcome == "nothing split"
