"""Comments that excuse a line: the statement that they belong to, their names and reasons."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.checker.ignored import IgnoredLines, ignored_in

NAMES = ("loop/modes", "loop/batches", "loss/inputs")
CODE = """\
model.eval()  # symmetry: ignore[loop/modes] frozen on purpose
# symmetry: ignore[loss/inputs, loop/batches]: one batch, to overfit
loss = cross_entropy(
    model(x).softmax(1),
    y,
)
for x, y in loader:  # symmetry: ignore[loop/batches] - in order
    text = "# symmetry: ignore[nothing] in a text"
    loss = mse_loss(
        x,
        y,
    )  # symmetry: ignore[loss/inputs] behind it
"""


@pytest.fixture
def ignored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(code):
        (tmp_path / "train.py").write_text(code)
        return ignored_in([tmp_path / "train.py", tmp_path / "missing.py"], lambda: NAMES)

    return read


def test_a_comment_belongs_to_its_statement(ignored):
    assert [(each.lines, each.names, each.reason) for each in ignored(CODE)] == [
        (range(1, 2), ("loop/modes",), "frozen on purpose"),
        (range(3, 7), ("loss/inputs", "loop/batches"), "one batch, to overfit"),
        (range(7, 8), ("loop/batches",), "in order"),
        (range(9, 13), ("loss/inputs",), "behind it"),
    ]


def test_all_lines_of_a_mistake_have_to_be_excused(ignored):
    lines = IgnoredLines(ignored(CODE))
    assert lines.reason("loop/batches", [("train.py", 4)]) == "one batch, to overfit"
    assert lines.reason("loop/batches", [("train.py", 4), ("train.py", 7)]) is not None
    assert lines.reason("loop/batches", [("train.py", 4), ("train.py", 8)]) is None
    assert lines.reason("loop/modes", [("other.py", 1)]) is None
    assert lines.reason("loop/modes", [(None, None)]) is None
    assert lines.reason("loop/modes", []) is None


def test_what_excuses_nothing_is_told_if_it_was_judged(ignored):
    lines = IgnoredLines(ignored(CODE))
    lines.reason("loop/batches", [("train.py", 4)])
    assert [*lines.unused({"loop/modes", "loop/batches"})] == [
        "train.py:1: symmetry: ignore[loop/modes] excuses nothing any more",
        "train.py:7: symmetry: ignore[loop/batches] excuses nothing any more",
    ]
    assert [*lines.unused(set())] == []


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("ignore[loop/modes]", r"train.py:1: symmetry: ignore\[loop/modes\] has no reason"),
        ("ignore", r"ignore\[\] names nothing"),
        ("ignore[] so", r"ignore\[\] names nothing"),
        ("ignore[loop/mode] so", "called 'loop/mode', did you mean 'loop/modes'"),
        ("ignore[E501] so", "no invariant or note is called 'E501'"),
    ],
)
def test_a_comment_that_makes_no_sense_is_one_line(ignored, comment, message):
    with pytest.raises(SymmetryError, match=message):
        ignored(f"x = 1  # symmetry: {comment}\n")


def test_a_file_that_is_no_python_has_no_comments(ignored):
    assert ignored("def (  # symmetry: ignore[loop/modes] so\n") == ()
