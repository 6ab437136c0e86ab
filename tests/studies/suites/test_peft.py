"""As maintainers of peft would test adapters in a ``Trainer``."""

from __future__ import annotations

import pytest

from symmetry import check_training
from tests.conftest import needs
from tests.studies.suites import tiny

pytestmark = [needs("peft"), pytest.mark.filterwarnings("ignore")]

ADAPTERS = ["training/moves", "training/resume", "symmetry/repeatable"]


def adapted():
    import peft

    settings = peft.LoraConfig(
        task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.1
    )
    return peft.get_peft_model(tiny.model(), settings)


def make(folder, model):
    from transformers import Trainer, TrainingArguments

    arguments = tiny.arguments(TrainingArguments, folder)
    return Trainer(model=model, args=arguments, train_dataset=tiny.rows())


@check_training(only=[*ADAPTERS, "loss/weights", "loss/next-token"], budget=6)
def test_lora(tmp_path):
    return make(tmp_path, adapted())


@check_training(only="training/moves", expected_failures={"training/moves": "a second optimiser"})
def test_adapters_that_the_optimiser_lacks_are_caught(tmp_path):
    """Adapters are added behind the optimiser, which holds the layers that are frozen now."""
    import peft
    import torch

    model = tiny.model()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    settings = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"])
    trainer = make(tmp_path, peft.get_peft_model(model, settings))
    trainer.optimizer = optimizer
    return trainer
