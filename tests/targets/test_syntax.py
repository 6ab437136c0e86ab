"""Imports, names and functions of a file, read without executing it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from symmetry.targets.syntax import functions_in, meant_instead, trains_at_import

LOOP = "for x in data:\n    loss(model(x)).backward()\n"
UNCALLED = "; it calls none of its functions ({}): call one at its end"


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


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("def make(n=3, *, m=4):\n    return 1, 2", "; did you mean 'a.py:make'?"),
        ("def make(n):\n    return 1, 2", UNCALLED.format("make")),
        ("def make(*, n):\n    return 1, 2", UNCALLED.format("make")),
        ("def main():\n    ...\ndef run():\n    main()", UNCALLED.format("main, run")),
        ("def main():\n    ...\nif __name__ == '__main__':\n    main()", ""),
        ("def main():\n    ...\nmain.callback()", ""),
        ("class Net:\n    ...\ndef _made():\n    return 1, 2", ""),
        ("def (", ""),
    ],
)
def test_a_function_may_be_meant(text: str, meant: str, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(text)
    assert meant_instead("a.py", file) == meant
