"""Files of targets, and the one line that says why a name leads to none."""

from __future__ import annotations

import textwrap

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.targets.resolve import resolve


def write(path, text="def step(x, y, w1, w2, lr):\n    return w1, w2\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def message(name) -> str:
    with pytest.raises(SymmetryError) as info:
        resolve(name)
    assert "\n" not in str(info.value)
    assert len(str(info.value)) < 600
    return str(info.value)
