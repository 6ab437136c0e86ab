"""What is seen of NumPy, and what the observed arrays do to the user's code: nothing."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from symmetry.steps.observe.numpy import ObservedArray, observed
from symmetry.steps.observe.running import substituted
from tests.observe.tape import Tape, reporting_to


def seen(function, *arrays):
    """Return the names of the operations that are reported, and the result."""
    tape = Tape()
    with reporting_to(tape):
        result = function(*map(observed, arrays))
    return [event.name for event in tape.events], result


A = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda a: a @ a.T, ["matmul"]),
        (lambda a: -a + 1, ["negative", "add"]),
        (lambda a: a.sum(axis=0), ["sum"]),
        (lambda a: np.mean(a, axis=1), ["mean"]),
        (lambda a: np.add.reduce(a), ["add.reduce"]),
        (lambda a: a.dot(a.T), ["dot"]),
        (lambda a: np.einsum("ij->ji", a), ["einsum"]),
        (lambda a: np.concatenate([a, a]), ["concatenate"]),
        (lambda a: np.where(a > 1, a, 0), ["greater", "where"]),
        (lambda a: a[[0, 1]], ["getitem"]),
        (lambda a: a[0] * 2, ["multiply"]),
        (lambda a: a.astype(np.float32), ["astype"]),
        (lambda a: np.linalg.norm(a, axis=0), ["norm"]),
        (lambda a: np.cumsum(a, axis=1), ["cumsum"]),
        (lambda a: a.copy(), ["copy"]),
    ],
)
def test_operations_are_seen_once_and_results_report_again(function, names):
    found, result = seen(function, A)
    assert found == names
    assert type(result) is ObservedArray
    assert (np.asarray(result) == function(A)).all()
    assert type(np.asarray(result)) is np.ndarray


def test_writes_are_seen_with_what_they_write_into():
    tape = Tape()
    a = observed(A.copy())
    with reporting_to(tape):
        a[:, 1] += 1
        a[1] = 7
        a[[0]] = 8
        np.exp(a, out=a)
        a -= 1
        a.fill(3)
    assert [event.name for event in tape.events] == [
        "add",
        "setitem",
        "setitem",
        "exp",
        "subtract",
        "fill",
    ]
    assert (np.asarray(a) == 3).all()


def test_an_operation_returns_the_array_it_was_told_to_write_into():
    a = observed(A.copy())
    with reporting_to(Tape()):
        assert np.add(a, 1, out=a) is a


def test_nobody_is_told_outside_of_the_observation():
    a = observed(A)
    tape = Tape()
    with reporting_to(tape):
        pass
    assert (a + 1 == A + 1).all()
    assert tape.events == []


def test_other_threads_are_not_observed():
    tape = Tape()
    with reporting_to(tape):
        thread = threading.Thread(target=lambda: observed(A) + 1)
        thread.start()
        thread.join()
    assert tape.events == []


def test_numba_takes_observed_arrays():
    from symmetry.network.core import step

    x, y = np.ones((3, 2), np.float32), np.eye(3, dtype=np.float32)
    w1, w2 = np.zeros((3, 2), np.float32), np.zeros((3, 3), np.float32)
    _, (new_w1, new_w2) = seen(lambda *arrays: step(*arrays, 0.5), x, y, w1, w2)
    expected = step(x, y, w1, w2, 0.5)
    assert (np.asarray(new_w1) == expected[0]).all()
    assert (np.asarray(new_w2) == expected[1]).all()


@pytest.mark.parametrize("skipped", [False, True])
def test_fresh_memory_holds_zeros(skipped):
    tape = Tape()
    tape.skips = lambda: skipped
    with reporting_to(tape), substituted([]):
        np.full(1000, 3.0)  # what may come to lie there
        assert not np.empty(1000).any()
        assert not np.empty_like(observed(A)).any()
        assert np.empty(2, object).tolist() == [None, None]  # as ever
