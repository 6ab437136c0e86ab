from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.callbacks import first_updates
from symmetry.callbacks.first_updates import FirstUpdates


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SymmetryError("it has no loss"), "not checked: it has no loss\n"),
        (KeyError("x"), "not checked: an error of symmetry itself: KeyError: 'x'\n"),
    ],
)
def test_a_run_goes_on_whatever_a_check_raises(error, text, tmp_path, monkeypatch):
    def check_model(*_, **__):
        raise error

    monkeypatch.setattr(first_updates, "check_model", check_model)
    first = FirstUpdates(1, True, {})
    assert not first.check(tmp_path, None, None, None, None)
    assert (tmp_path / "symmetry-1.txt").read_text() == text
    assert not first.is_next
