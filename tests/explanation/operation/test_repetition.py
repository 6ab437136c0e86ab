"""An operation that is performed again, alone: equal, unequal, rounding, or it raises."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from symmetry.base.files import write_all
from symmetry.explanation.operation.repetition import Repetition, write
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe.numpy import observed, observing
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


def events(function, *arrays):
    """Return the events of a function, with copies of what they take and bring."""
    found = []

    def keep(event):
        event.arrays = [array.copy() for array in event.arrays]
        found.append((event, event.arrays))

    with observing(Tape(keep, only=range(1, 99)), SourceLines()):
        function(*map(observed, arrays))
    for event, kept in found:
        event.arrays = kept
    return [event for event, _ in found]


def printed(script, folder):
    file = folder / "again.py"
    write_all(script.files(file))
    return subprocess.run([sys.executable, file], capture_output=True, text=True, check=True).stdout


A = np.arange(6.0).reshape(2, 3)
COLUMNS = {unit: np.array([unit, unit + 3]) for unit in range(3)}  # flat entries of a (2, 3)


def test_units_that_differ_are_printed(tmp_path):
    (event,) = events(lambda a: a * np.array([1.0, 1.0, 2.0]), np.ones((2, 3)))
    script = write(event, 0, COLUMNS, "multiply: it differs")
    assert script.text.startswith("# multiply: it differs\n")
    assert printed(script, tmp_path) == "units that differ from unit 0: [2]\n"


def test_without_units_the_result_is_that_of_the_run(tmp_path):
    (event,) = events(np.exp, A)
    assert printed(write(event, 0, {}, ""), tmp_path).endswith(": True\n")


@pytest.mark.parametrize("layout", [np.asfortranarray, np.ascontiguousarray])
def test_operands_have_their_layout_again(layout, tmp_path):
    (event,) = events(np.exp, layout(A))
    script = write(event, 0, {}, "")
    assert (".transpose(1, 0)" in script.text) == (layout is np.asfortranarray)
    assert script.arrays["a0"].flags.c_contiguous
    assert printed(script, tmp_path).endswith(": True\n")


def test_a_write_and_one_of_several_results(tmp_path):
    def run(a):
        a += 1
        np.linalg.svd(a)

    written, several = events(run, A.copy())
    assert "result = a0" in (script := write(written, 0, {}, "")).text
    assert printed(script, tmp_path).endswith(": True\n")
    assert "result = result[1]" in (script := write(several, 1, {}, "")).text
    assert printed(script, tmp_path).endswith(": True\n")


def test_what_cannot_be_written_down_has_no_script():
    (event,) = events(np.exp, A)
    event.call.path = None  # that of a function which no module has by its name
    assert write(event, 0, {}, "") is None


def test_the_arrays_lie_beside_it(tmp_path):
    (event,) = events(np.exp, A)
    files = write(event, 0, {}, "").files(tmp_path / "again.py")
    assert [file.name for file in files] == ["again.py", "again.npz"]
