"""Versions of frameworks: of those that are imported, installed, and neither."""

from __future__ import annotations

import sys

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.training.frameworks import refuse_older


@pytest.mark.parametrize("imported", [True, False])
def test_an_older_library_is_refused_whether_it_is_imported_or_not(imported, monkeypatch):
    if not imported:
        monkeypatch.delitem(sys.modules, "numpy")
    refuse_older("numpy", "NumPy", (1, 0))
    with pytest.raises(SymmetryError, match=r"^NumPy \S+ is too old: .* needs 999\.9 or newer"):
        refuse_older("numpy", "NumPy", (999, 9))


def test_to_import_what_is_not_installed_tells_more():
    refuse_older("a_library_that_nobody_has", "Nothing", (1, 0))
