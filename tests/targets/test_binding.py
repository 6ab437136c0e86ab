"""Names that a file binds, and whether its import trains, without executing it."""

from __future__ import annotations

import ast

import pytest

from symmetry.targets.binding import functions_in, trains_at_import

LOOP = "for x in data:\n    loss(model(x)).backward()\n"


def test_what_may_be_a_function_is_found():
    code = (
        "import a.b, c as d\nfrom e import f\nmodel = Net()\ng = lambda: 1\nh = f\n"
        "def i():\n    def inner(): pass\nclass J: pass\nif h:\n    def k(): pass\n"
    )
    assert functions_in(ast.parse(code)) == set("adfghiJk")


@pytest.mark.parametrize("code", ["from a import *", "def __getattr__(name): ..."])
def test_what_may_be_a_function_is_not_always_known(code):
    assert functions_in(ast.parse(code)) is None


@pytest.mark.parametrize(
    ("code", "trains"),
    [
        (LOOP, True),
        ("trainer.fit(model)", True),
        (
            f"def main():\n{LOOP.replace('for', '    for').replace('    loss', '        loss')}",
            False,
        ),
        ("if __name__ == '__main__':\n    trainer.train()", False),
        ("model = Net()", False),
    ],
)
def test_a_file_that_trains_when_it_is_imported(code, trains):
    assert trains_at_import(ast.parse(code)) == trains
