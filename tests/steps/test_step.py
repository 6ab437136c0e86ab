"""How a step is called, and what becomes of what it returns, raises or changes."""

from __future__ import annotations

import functools
import re
import sys
import warnings

import numpy as np
import pytest

from symmetry.base.errors import TargetError
from symmetry.base.raised import in_one_line
from symmetry.steps.step import Result, TwoLayerRun
from symmetry.steps.target import StepTarget
from tests.conftest import needs

W1, W2 = (3, 4), (5, 2)  # two inputs, four hidden units, two classes


def problem(dtype="float32"):
    x = np.arange(6, dtype=dtype).reshape(3, 2)
    y = np.eye(2, dtype=dtype)[[0, 1, 0]]
    return x, y, np.full(W1, 0.5, dtype), np.full(W2, 0.25, dtype)


def take(step, dtype="float32", lr=0.1) -> Result:
    return TwoLayerRun(step)(*problem(dtype), lr)


def message(step, dtype="float32") -> str:
    with pytest.raises(TargetError) as info:
        take(step, dtype)
    assert "\n" not in str(info.value)
    return str(info.value)


# What the step is given


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_step_gets_writable_contiguous_arrays_and_a_float(dtype):
    def step(x, y, w1, w2, lr):
        for array in (x, y, w1, w2):
            assert type(array) is np.ndarray
            assert array.dtype == dtype
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert array.flags.owndata
        assert type(lr) is float
        return w1, w2

    arrays = [np.asfortranarray(a) for a in problem(dtype)]
    for array in arrays:
        array.flags.writeable = False
    TwoLayerRun(step)(*arrays, np.float64(0.1))


def test_caller_keeps_its_arrays_whatever_the_step_overwrites():
    def step(x, y, w1, w2, lr):
        for array in (x, y, w1, w2):
            array += 1
        return w1, w2

    arrays = problem()
    result = TwoLayerRun(step)(*arrays, 0.1)
    for array, untouched in zip(arrays, problem(), strict=True):
        np.testing.assert_array_equal(array, untouched)
    np.testing.assert_array_equal(result.w1, arrays[2] + 1)
    np.testing.assert_array_equal(result.w2, arrays[3] + 1)


def test_result_shows_what_the_step_did_to_x_and_y():
    def step(x, y, w1, w2, lr):
        x[0, 0] = 99
        y[2] = 7
        return w1, w2

    result = take(step)
    x, y, _, _ = problem()
    assert np.argwhere(result.x != x).tolist() == [[0, 0]]
    assert np.argwhere(result.y != y).tolist() == [[2, 0], [2, 1]]


def test_result_is_copied_at_once():
    buffers = []

    def step(x, y, w1, w2, lr):
        buffers[:] = [w1, w2]
        return w1, w2

    result = take(step)
    buffers[0][:] = 77
    buffers[1][:] = 77
    np.testing.assert_array_equal(result.w1, problem()[2])
    np.testing.assert_array_equal(result.w2, problem()[3])


# What the step may return


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: w,
        np.asfortranarray,
        lambda w: w[::-1][::-1],
        np.ndarray.view,
        memoryview,
    ],
)
@pytest.mark.parametrize("container", [tuple, list])
def test_anything_that_numpy_reads_as_two_such_arrays_is_accepted(wrap, container):
    result = take(lambda x, y, w1, w2, lr: container([wrap(w1), wrap(w2)]))
    for found, expected in ((result.w1, problem()[2]), (result.w2, problem()[3])):
        assert type(found) is np.ndarray
        assert found.flags.c_contiguous
        assert found.flags.writeable
        np.testing.assert_array_equal(found, expected)


def test_nested_lists_are_arrays_of_float64():
    result = take(lambda x, y, w1, w2, lr: (w1.tolist(), w2.tolist()), "float64")
    np.testing.assert_array_equal(result.w1, problem("float64")[2])


def test_torch_tensors_are_accepted_when_detached():
    import torch

    def step(x, y, w1, w2, lr, *, requires_grad):
        return torch.tensor(w1), torch.tensor(w2, requires_grad=requires_grad)

    result = take(functools.partial(step, requires_grad=False))
    np.testing.assert_array_equal(result.w2, problem()[3])
    text = message(functools.partial(step, requires_grad=True))
    assert text.startswith(
        "the step returned w2 as a Tensor that NumPy cannot read: RuntimeError: "
    )
    assert "detach()" in text


@needs("jax")
def test_jax_arrays_are_accepted():
    import jax.numpy as jnp

    result = take(lambda x, y, w1, w2, lr: (jnp.asarray(w1), jnp.asarray(w2)))
    assert type(result.w1) is np.ndarray
    assert result.w1.flags.writeable
    np.testing.assert_array_equal(result.w1, problem()[2])


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (lambda w1, w2: None, "None"),
        (lambda w1, w2: w1, "a value of type ndarray"),
        (lambda w1, w2: 0.5, "a value of type float"),
        (lambda w1, w2: (w for w in (w1, w2)), "a value of type generator"),
        (lambda w1, w2: {"w1": w1, "w2": w2}, "a value of type dict"),
        (lambda w1, w2: (w1,), "a tuple of length 1"),
        (lambda w1, w2: (w1, w2, 0.3), "a tuple of length 3"),
        (lambda w1, w2: [], "a list of length 0"),
    ],
)
def test_anything_but_two_values_is_an_error(returned, found):
    text = message(lambda x, y, w1, w2, lr: returned(w1, w2))
    assert text == f"the step returned {found}, expected two arrays (w1, w2)"


@pytest.mark.parametrize(
    ("returned", "found", "expected"),
    [
        (lambda w1, w2: (w1.T, w2), "w1 with shape (4, 3) and dtype float32", W1),
        (lambda w1, w2: (w1, w2[1:]), "w2 with shape (4, 2) and dtype float32", W2),
        (lambda w1, w2: (w1[0, 0], w2), "w1 (a float32) with shape () and dtype float32", W1),
        (lambda w1, w2: (None, w2), "w1 (None) with shape () and dtype object", W1),
        (lambda w1, w2: (w1.astype(object), w2), "w1 with shape (3, 4) and dtype object", W1),
        (lambda w1, w2: (np.half(w1), w2), "w1 with shape (3, 4) and dtype float16", W1),
        (lambda w1, w2: (w1.astype(">f4"), w2), "w1 with shape (3, 4) and dtype >f4", W1),
    ],
)
def test_wrong_shape_or_dtype_says_what_came_and_what_was_expected(returned, found, expected):
    text = message(lambda x, y, w1, w2, lr: returned(w1, w2))
    assert text == f"the step returned {found}, expected shape {expected} and dtype float32"


def test_float64_in_a_float32_run_points_to_the_attribute():
    assert message(lambda x, y, w1, w2, lr: (w1, np.float64(w2))) == (
        "the step returned w2 with shape (5, 2) and dtype float64, "
        "expected shape (5, 2) and dtype float32; "
        "a step that takes float64 only says so by an attribute: dtypes = ('float64',)"
    )


def test_float32_in_a_float64_run_points_to_the_attribute():
    text = message(lambda x, y, w1, w2, lr: (np.float32(w1), w2), "float64")
    assert text.endswith(
        "a step that takes float32 only says so by an attribute: dtypes = ('float32',)"
    )


def test_ragged_lists_are_an_error():
    text = message(lambda x, y, w1, w2, lr: ([[1.0], [1.0, 2.0]], w2))
    assert text.startswith("the step returned w1 as a list that NumPy cannot read: ValueError: ")


def test_masked_arrays_are_an_error():
    def step(x, y, w1, w2, lr):
        return np.ma.masked_equal(w1, 0.5), w2

    assert message(step).startswith("the step returned w1 as a masked array: ")


class Odd(list):
    """A list that runs code of its own when it is read."""

    def __len__(self):
        raise SystemExit("no length")


class Lazy:
    def __array__(self, *_, **__):
        raise SystemExit(0)


@pytest.mark.parametrize(("result", "text"), [(Odd(), "no length"), ((Lazy(), Lazy()), "0")])
def test_reading_the_result_may_raise_anything(result, text):
    found = message(lambda x, y, w1, w2, lr: result)
    assert re.fullmatch(
        rf"reading the results of the step raised SystemExit: {text} \(\S*test_step.py:\d+\)",
        found,
    )


class UnreadableError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnreadableError(), "UnreadableError: (its message cannot be read: RuntimeError)"),
        (ValueError("a\udc80b"), "ValueError: a\\udc80b"),
    ],
)
def test_a_message_that_cannot_be_read_or_printed(error, text):
    assert in_one_line(error) == text


def test_reshaping_the_weights_in_place_does_not_fool_the_check():
    def step(x, y, w1, w2, lr):
        w1.resize((4, 3), refcheck=False)
        return w1, w2

    assert "w1 with shape (4, 3)" in message(step)


# What the step may raise


class OwnError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such thing"), "ValueError: no such thing"),
        (OwnError("first line\nsecond line"), "OwnError: first line"),
        (OwnError(), "OwnError"),
        (SystemExit(3), "SystemExit: 3"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_what_the_step_raises_is_named_on_one_line_with_its_place(error, text):
    def step(x, y, w1, w2, lr):
        raise error

    with pytest.raises(TargetError) as info:
        take(step)
    line = step.__code__.co_firstlineno + 1
    assert str(info.value) == f"the step raised {text} (tests/steps/test_step.py:{line})"
    assert info.value.__cause__ is error


def test_place_is_the_users_own_line_not_the_librarys():
    def step(x, y, w1, w2, lr):
        return np.linalg.inv(x), w2

    line = step.__code__.co_firstlineno + 1
    assert message(step).endswith(f" (tests/steps/test_step.py:{line})")


def test_wrong_number_of_arguments_is_an_error_verdict():
    def step(x, y, w1):
        raise AssertionError

    assert re.fullmatch(r"the step raised TypeError: .*step\(\) takes 3 .* 5 .*", message(step))


def test_long_messages_are_shortened():
    assert len(in_one_line(ValueError("x" * 1000))) == len("ValueError: ") + 200
    assert in_one_line(ValueError("x" * 1000)).endswith("x...")


def test_ctrl_c_passes():
    def step(x, y, w1, w2, lr):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(step)


def test_errors_meant_for_the_user_pass_as_they_are():
    def step(x, y, w1, w2, lr):
        raise TargetError("said by an adapter")

    assert message(step) == "said by an adapter"


# What the step may change


def test_warnings_and_floating_point_errors_are_silent_inside():
    def step(x, y, w1, w2, lr):
        warnings.warn("outdated", DeprecationWarning, stacklevel=1)
        return w1 / 0 * 0, np.exp(w2 * 1e30)

    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        result = take(step)
    assert np.isnan(result.w1).all()
    assert np.isinf(result.w2).all()


@pytest.mark.parametrize("raises", [False, True])
def test_settings_are_restored_even_if_the_step_changes_them(raises):
    def step(x, y, w1, w2, lr):
        np.seterr(all="warn", under="raise")
        warnings.resetwarnings()
        warnings.simplefilter("always")
        warnings.showwarning = print
        if raises:
            raise ValueError
        return w1, w2

    with np.errstate(divide="raise", over="warn", under="ignore", invalid="print"):
        before = np.geterr(), list(warnings.filters), warnings.showwarning
        if raises:
            message(step)
        else:
            take(step)
        assert (np.geterr(), list(warnings.filters), warnings.showwarning) == before


# Classes


class Counting:
    instances = 0

    def __init__(self):
        type(self).instances += 1
        self.calls = 0

    def __call__(self, x, y, w1, w2, lr):
        self.calls += 1
        return w1 + self.calls, w2


def test_a_class_is_instantiated_once_per_run():
    before = Counting.instances
    trainer = StepTarget("counting", Counting)
    run, other = trainer.start(), trainer.start()
    assert Counting.instances == before + 2
    moved = [r(*problem(), 0.1).w1[0, 0] - 0.5 for r in (run, run, other)]
    assert moved == [1, 2, 1]


def test_an_instance_is_called_as_it_is():
    trainer = StepTarget("counting", Counting())
    moved = [trainer.start()(*problem(), 0.1).w1[0, 0] - 0.5 for _ in range(2)]
    assert moved == [1, 2]


def test_constructor_that_raises_is_an_error_verdict():
    class Broken:
        def __init__(self):
            warnings.warn("outdated", DeprecationWarning, stacklevel=1)
            sys.exit("no GPU")

    line = Broken.__init__.__code__.co_firstlineno + 2
    with pytest.raises(TargetError) as info:
        StepTarget("broken", Broken).start()
    assert (
        str(info.value) == f"Broken() raised SystemExit: no GPU (tests/steps/test_step.py:{line})"
    )
    assert isinstance(info.value.__cause__, SystemExit)


def test_constructor_with_arguments_is_an_error_verdict():
    class Hungry:
        def __init__(self, rate):
            raise AssertionError

    with pytest.raises(TargetError, match=r"^Hungry\(\) raised TypeError: .*'rate'"):
        StepTarget("hungry", Hungry).start()


def test_ctrl_c_in_a_constructor_passes():
    class Slow:
        def __init__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StepTarget("slow", Slow).start()
