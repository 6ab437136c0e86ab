"""Functions that wait for a module are called behind its code, all of them."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from symmetry.base.importing import SetAside, when_imported


def test_all_functions_that_wait_for_a_module_are_called(tmp_path, monkeypatch):
    (tmp_path / "awaited.py").write_text("value = 1")
    monkeypatch.syspath_prepend(tmp_path)
    called: list[object] = []
    for number in range(2):
        when_imported("awaited", lambda n=number: called.append((n, sys.modules["awaited"].value)))
    importlib.import_module("awaited")
    assert sorted(called) == [(0, 1), (1, 1)]
    when_imported("awaited", lambda: called.append("now"))
    assert called[-1] == "now"


def test_a_module_that_is_looked_for_first_is_still_awaited(tmp_path, monkeypatch):
    (tmp_path / "looked_for.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    called: list[int] = []
    when_imported("looked_for", lambda: called.append(1))
    assert importlib.util.find_spec("looked_for") is not None
    importlib.import_module("looked_for")
    assert called == [1]
    assert _finders() == []


def test_a_package_that_is_set_aside_is_back_when_somebody_imports_it(tmp_path, monkeypatch):
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "__init__.py").write_text("from aside import part")
    (tmp_path / "aside" / "part.py").write_text("value = 1")
    monkeypatch.syspath_prepend(tmp_path)
    package = importlib.import_module("aside")
    spec, told = package.__spec__, []
    SetAside("aside", lambda: told.append("asked"))
    when_imported("aside", lambda: told.append("imported"))
    assert "aside" not in sys.modules
    assert importlib.util.find_spec("aside").origin == spec.origin
    assert told == []
    assert importlib.import_module("aside.part").value == 1
    assert sys.modules["aside"] is package
    assert package.__spec__ is spec
    assert told == ["asked", "imported"]
    assert importlib.reload(package) is package
    assert _finders() == []


def _finders() -> list[object]:
    return [each for each in sys.meta_path if type(each).__module__ == when_imported.__module__]
