"""Which framework a script trains with."""

from __future__ import annotations

import pytest

from symmetry.targets.imports import framework_of


@pytest.mark.parametrize(
    ("text", "beside", "answer"),
    [
        ("import jax\n", "", "jax"),
        ("import torch\nloss.backward()\n", "", "torch"),
        ("import jax, torch\nloss.backward()\n", "", "torch"),
        ("import optax\nfrom torch.utils.data import DataLoader\n", "", "jax"),
        ("import jax\nimport lightning\n", "", "torch"),
        ("import own\n", "from flax import nnx\n", "jax"),
        ("import jax\nimport own\n", "def f(loss):\n    loss.backward()\n", "torch"),
        ("import own\n", "import own\n", "torch"),
        ("not Python", "", "torch"),
    ],
)
def test_the_framework_is_told_by_imports_and_by_backward(tmp_path, text, beside, answer):
    (file := tmp_path / "train.py").write_text(text)
    (tmp_path / "own.py").write_text(beside)
    assert framework_of(file) == answer


def test_a_file_that_is_not_there_is_of_the_first_one(tmp_path):
    assert framework_of(tmp_path / "none.py") == "torch"
