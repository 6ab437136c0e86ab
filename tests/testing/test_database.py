"""Failures that are kept in a database of Hypothesis, and run first until they hold."""

from __future__ import annotations

import re

import pytest
from hypothesis.database import InMemoryExampleDatabase

from symmetry import parametrize_invariants
from symmetry.network.formulas import step as sound
from symmetry.testing.invariants import InvariantCheck

KEY = b"symmetry tests/testing/test_database.py:odd symmetry/w2-rows"


def odd(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    if broken and w1.shape[1] == 97:
        w2[-1] *= 1.5
    return w1, w2


broken = True


def check_with(database: InMemoryExampleDatabase, examples: int) -> InvariantCheck:
    mark = parametrize_invariants(
        odd, only="symmetry/w2-rows", dtype="float32", examples=examples, database=database
    ).mark
    check = mark.args[1][0].values[0]
    assert isinstance(check, InvariantCheck)
    return check


def test_a_failure_is_kept_and_run_first_until_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    database = InMemoryExampleDatabase()
    database.save(KEY, b"no case")
    check_with(database, 4)()  # none of four cases has 97 units
    with pytest.raises(pytest.fail.Exception):
        check_with(database, 60)()
    (line,) = database.fetch(KEY)
    assert b'"h": 97' in line
    with pytest.raises(pytest.fail.Exception, match=re.escape(line.decode())):
        check_with(database, 4)()
    monkeypatch.setattr("tests.testing.test_database.broken", False)
    check_with(database, 4)()
    assert list(database.fetch(KEY)) == []
