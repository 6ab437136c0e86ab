"""The steps of other libraries in this folder are sound."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.cli.process import symmetry
from tests.conftest import needs

HERE = Path(__file__).parent
CASE = (
    '{"n": 6, "i": 3, "h": 4, "c": 3, "lr": 0.5, "iterations": 2, "dtype": "float32", '
    '"data": "normals", "weights": "scaled", "seed": 0}'
)
OVERFLOWING = (
    '{"n": 1, "i": 1, "h": 2, "c": 1, "lr": 21.9, "iterations": 12, "dtype": "float32", '
    '"data": "constant", "weights": "cloned", "seed": 0}'
)


LIBRARIES = ("autograd", "flax", "sklearn", "keras", "tinygrad")


@pytest.mark.parametrize("library", [pytest.param(name, marks=needs(name)) for name in LIBRARIES])
def test_the_step_is_sound(library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if library == "keras" and importlib.util.find_spec("tensorflow") is None:  # with PyTorch
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("DEV", "PYTHON")  # tinygrad's other devices need a compiler or a driver
    step = HERE / f"{library}_step.py:step"
    done = symmetry("check", "--verbose", step, "--case", f"{CASE}\n{OVERFLOWING}", cwd=tmp_path)
    assert done.status == 0, done.out + done.err
    for invariant in ("clones", "permutation", "samples", "inputs", "classes"):
        assert re.search(rf"symmetry/{invariant} +float32 +(holds|rounding)", done.out)
