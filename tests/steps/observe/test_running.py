"""What stands in for the functions of NumPy that make arrays, and is gone afterwards."""

from __future__ import annotations

import numpy as np

from symmetry.steps.observe.numpy import ObservedArray
from symmetry.steps.observe.running import substituted
from tests.observe.tape import Tape, reporting_to


def test_substitutes_are_for_user_code_and_go_away():
    from numpy import zeros

    zeros_of_numpy, array_of_numpy = np.zeros, np.array
    namespace = {"zeros": zeros, "rng": np.random.default_rng(5), "other": 1}
    before = dict(namespace)
    expected = np.random.default_rng(5).random(3)
    tape = Tape()
    with reporting_to(tape), substituted([namespace]):
        assert type(np.zeros(3)) is ObservedArray
        assert type(namespace["zeros"](3)) is ObservedArray
        assert type(np.asarray([1.0, 2.0])) is ObservedArray
        drawn = namespace["rng"].random(3)
        assert type(np.random.default_rng(0).normal(size=2)) is ObservedArray
        assert isinstance(namespace["rng"], np.random.Generator)
    assert [event.name for event in tape.events] == [
        "zeros",
        "zeros",
        "asarray",
        "random.random",
        "random.normal",
    ]
    assert (np.asarray(drawn) == expected).all()
    assert namespace == before
    assert (np.zeros, np.array) == (zeros_of_numpy, array_of_numpy)


def test_legacy_generators_are_seen_and_recognised():
    old = np.random.RandomState(1)
    tape = Tape()
    with reporting_to(tape), substituted([]):
        made = np.random.RandomState(1)
        drawn = made.rand(3)
        assert isinstance(old, np.random.RandomState)
        assert isinstance(made, np.random.RandomState)
    assert [event.name for event in tape.events] == ["random.rand"]
    assert (np.asarray(drawn) == old.rand(3)).all()
