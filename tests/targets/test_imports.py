"""Which framework a script trains with."""

from __future__ import annotations

import pytest

from symmetry.targets.imports import trains_with_jax


@pytest.mark.parametrize(
    ("text", "beside", "answer"),
    [
        ("import jax\n", "", True),
        ("import torch\nloss.backward()\n", "", False),
        ("import jax, torch\nloss.backward()\n", "", False),
        ("import optax\nfrom torch.utils.data import DataLoader\n", "", True),
        ("import jax\nimport lightning\n", "", False),
        ("import own\n", "from flax import nnx\n", True),
        ("import jax\nimport own\n", "def f(loss):\n    loss.backward()\n", False),
        ("import own\n", "import own\n", False),
        ("not Python", "", False),
    ],
)
def test_jax_is_told_by_imports_and_by_backward(tmp_path, text, beside, answer):
    (file := tmp_path / "train.py").write_text(text)
    (tmp_path / "own.py").write_text(beside)
    assert trains_with_jax(file) is answer


def test_a_file_that_is_not_there_does_not(tmp_path):
    assert not trains_with_jax(tmp_path / "none.py")
