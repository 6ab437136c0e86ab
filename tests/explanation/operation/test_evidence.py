"""An operation that is performed again, alone: equal, unequal, rounding, or it raises."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.explanation.operation.evidence import Repetition
from tests.explanation.operation.captured import along, captured

ONES = np.ones((2, 3), np.float32)
LAST_DOUBLED = np.array([[1, 1, 1], [2, 2, 2]], np.float32)


def doubling_the_last(operands):
    (array,) = operands
    array[-1] *= 2
    return [array]


def rounding_the_last(operands):
    (array,) = operands
    if array.dtype == np.float32:
        array[-1] = np.nextafter(array[-1], np.float32(2))
    return [array]


def raising(operands):
    raise TypeError("no float64")


@pytest.mark.parametrize(
    ("perform", "result", "sentences", "rounds"),
    [
        (doubling_the_last, LAST_DOUBLED, ["the same unequal result"], False),
        (doubling_the_last, 3 * LAST_DOUBLED, ["an unequal result again, with other"], False),
        (lambda operands: operands, LAST_DOUBLED, ["the result is equal for equal units"], True),
        (rounding_the_last, rounding_the_last([ONES.copy()])[0], ["same", "in float64"], True),
        (raising, LAST_DOUBLED, ["it raises TypeError"], False),
    ],
)
def test_a_repetition_shows_what_the_operation_does(perform, result, sentences, rounds):
    operation = captured(result, along(0, 0, 1), perform=perform, operands=[ONES])
    repetition = Repetition(operation)
    assert repetition.rounds is rounds
    said = [*repetition.sentences()]
    assert all(text.startswith("repeated alone") for text in said)
    assert all(words in text for words, text in zip(sentences, said, strict=False))
    assert len(said) >= len(sentences)
    assert (ONES == 1).all()  # it gets copies


@pytest.mark.parametrize(("result", "words"), [(ONES, "the same"), (LAST_DOUBLED, "another")])
def test_without_groups_only_the_result_is_compared(result, words):
    operation = captured(
        result, along(0, 0, 1), groups=(), perform=lambda operands: operands, operands=[ONES]
    )
    assert next(Repetition(operation).sentences()) == f"repeated alone: {words} result"


def test_what_it_writes_undeclared_cannot_be_repeated():
    operation = captured(LAST_DOUBLED, along(0, 0, 1), perform=lambda _: [], operands=[ONES])
    assert [*Repetition(operation).sentences()] == []
