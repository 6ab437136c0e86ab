"""Models of transformers that are made small: they train, and nothing is downloaded."""

from __future__ import annotations

import pytest
import torch

from symmetry.base.errors import SymmetryError
from symmetry.targets.resolve import resolve
from symmetry.testing.trainings import check_training
from tests.conftest import needs

pytestmark = needs("transformers")


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "t5"])
@pytest.mark.filterwarnings("ignore")
def test_a_small_model_takes_a_step(name):
    model, step, extras = resolve(f"hf-tiny:{name}").training.make()
    assert 0 < sum(parameter.numel() for parameter in model.parameters()) < 100_000
    before = [parameter.detach().clone() for parameter in model.parameters()]
    batch = extras["batch"](0)
    assert torch.equal(batch["input_ids"], extras["batch"](0)["input_ids"])
    step(batch)
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "message"),
    [("gpt-2", "did you mean hf-tiny:gpt2"), ("no such", "no model type"), ("resnet", "no head")],
)
def test_another_name_is_one_line(name, message):
    with pytest.raises(SymmetryError, match=message):
        resolve(f"hf-tiny:{name}")


def test_it_is_one_test_for_each_invariant():
    tested = check_training("hf-tiny:gpt2", only="loss/*")
    (mark,) = tested.pytestmark
    assert [each.id for each in mark.args[1]][:2] == ["loss/inputs", "loss/pairs"]
    with pytest.raises(pytest.Collector.CollectError, match="no model type"):
        check_training("hf-tiny:none")
