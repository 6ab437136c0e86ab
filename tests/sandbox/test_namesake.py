"""A script finds its own module of the name of this package; our code finds the package."""

from __future__ import annotations

import sys

import symmetry
from symmetry.sandbox.namesake import NAME, Namesake

SCRIPT = f"import {NAME}\nfrom {NAME} import reflect\nfrom {NAME}.deep import more\n"


def test_a_script_finds_its_own(tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "__init__.py").write_text("reflect = 'theirs'\nfrom . import deep\n")
    (tmp_path / NAME / "deep.py").write_text("more = 'deep'\n")
    monkeypatch.syspath_prepend(tmp_path)
    scope = {"__name__": "__main__", "__file__": str(tmp_path / "train.py")}
    ours = {name for name in sys.modules if name.partition(".")[0] == NAME}
    with Namesake([tmp_path]).imported():
        exec(SCRIPT, scope)
        assert (scope["reflect"], scope["more"]) == ("theirs", "deep")
        assert sys.modules[NAME] is symmetry
    assert {name for name in sys.modules if name.partition(".")[0] == NAME} >= ours


def test_nothing_is_replaced_without_one(tmp_path):
    before = __import__
    with Namesake([tmp_path]).imported():
        assert __import__ is before
