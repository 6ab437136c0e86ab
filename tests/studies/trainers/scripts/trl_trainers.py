"""Trainings by the trainers of TRL: ``python trl_trainers.py NAME``."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import datasets
import torch
import transformers as hf
import trl
from made_up import WORDS, label, text, tokenizer

_SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": WORDS}
_SIZES |= {"intermediate_size": 24, "num_key_value_heads": 1, "max_position_embeddings": 160}
_ROWS = 24


def llama(head: Any = hf.LlamaForCausalLM, **more: Any) -> Any:
    """Return a small Llama with a head."""
    tokens = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    return head(hf.LlamaConfig(**_SIZES, **tokens, **more))


def loaded() -> Any:
    """Return a small Llama from a folder, from which a trainer loads its reference, too."""
    folder = tempfile.mkdtemp()
    llama().save_pretrained(folder)
    return hf.AutoModelForCausalLM.from_pretrained(folder)


def texts() -> datasets.Dataset:
    """Return texts of different lengths."""
    return datasets.Dataset.from_list([{"text": text(i)} for i in range(_ROWS)])


def completed() -> datasets.Dataset:
    """Return prompts with completions."""
    rows = [{"prompt": text(i), "completion": f" {text(i + 3)}"} for i in range(_ROWS)]
    return datasets.Dataset.from_list(rows)


def preferred() -> datasets.Dataset:
    """Return prompts with a chosen and a rejected completion."""
    rows = [
        {"prompt": text(i), "chosen": f" {text(i + 3)}", "rejected": f" {text(i + 5)}"}
        for i in range(_ROWS)
    ]
    return datasets.Dataset.from_list(rows)


def train(
    kind: Any, arguments: Any, model: Any, data: datasets.Dataset, given: Any = None, **options: Any
) -> None:
    """Train a model with a trainer of TRL."""
    quiet = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "save_strategy": "no"}
    usual = {"per_device_train_batch_size": 4, "num_train_epochs": 2, "learning_rate": 1e-3}
    usual |= {"bf16": False, "gradient_checkpointing": False}
    settings = arguments(output_dir=tempfile.mkdtemp(), **{**usual, **quiet, **options})
    words = tokenizer(ends=False)
    kind(model, args=settings, train_dataset=data, processing_class=words, **(given or {})).train()


def _tune(data: datasets.Dataset, **options: Any) -> None:
    train(trl.SFTTrainer, trl.SFTConfig, llama(), data, **options)


def fine_tuning() -> None:
    _tune(texts())


def fine_tuning_of_completions() -> None:
    _tune(completed())


def fine_tuning_accumulated() -> None:
    _tune(completed(), gradient_accumulation_steps=3)


def fine_tuning_packed() -> None:
    _tune(texts(), packing=True, max_length=32, packing_strategy="wrapped")


def fine_tuning_packed_by_fit() -> None:
    _tune(texts(), packing=True, max_length=32, packing_strategy="bfd")


def fine_tuning_without_padding() -> None:
    _tune(texts(), padding_free=True, max_length=None)


def fine_tuning_by_dft() -> None:
    _tune(completed(), loss_type="dft")


def fine_tuning_of_adapters() -> None:
    import peft

    adapters = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"])
    given = {"peft_config": adapters}
    train(trl.SFTTrainer, trl.SFTConfig, llama(), texts(), given)


def _prefer(*losses: str, **options: Any) -> None:
    train(trl.DPOTrainer, trl.DPOConfig, loaded(), preferred(), loss_type=list(losses), **options)


def preferences() -> None:
    _prefer("sigmoid")


def preferences_accumulated() -> None:
    _prefer("sigmoid", gradient_accumulation_steps=3)


def preferences_by_ipo() -> None:
    _prefer("ipo")


def preferences_by_hinge() -> None:
    _prefer("hinge")


def preferences_robust() -> None:
    _prefer("robust", label_smoothing=0.1)


def preferences_by_apo() -> None:
    _prefer("apo_zero")


def preferences_and_likelihood() -> None:
    _prefer("sigmoid", "sft", loss_weights=[1.0, 0.5])


def unpaired_preferences() -> None:
    rows = [
        {"prompt": text(i), "completion": f" {text(i + 3)}", "label": label(i, 2) == 0}
        for i in range(_ROWS)
    ]
    train(trl.KTOTrainer, trl.KTOConfig, loaded(), datasets.Dataset.from_list(rows))


def rewards() -> None:
    model = llama(hf.LlamaForSequenceClassification, num_labels=1)
    train(trl.RewardTrainer, trl.RewardConfig, model, preferred())


def rewards_centred() -> None:
    model = llama(hf.LlamaForSequenceClassification, num_labels=1)
    more = {"center_rewards_coefficient": 0.1}
    train(trl.RewardTrainer, trl.RewardConfig, model, preferred(), **more)


def _long_words(completions: list[str], **_: Any) -> list[float]:
    return [float(sum(map(ord, completion)) % 7) for completion in completions]


def _improve(kind: Any, arguments: Any, **options: Any) -> None:
    data = datasets.Dataset.from_list([{"prompt": text(i)} for i in range(_ROWS)])
    more = {"num_generations": 4, "max_completion_length": 6, **options}
    train(kind, arguments, loaded(), data, {"reward_funcs": _long_words}, **more)


def policies() -> None:
    _improve(trl.GRPOTrainer, trl.GRPOConfig)


def policies_near_the_reference() -> None:
    _improve(trl.GRPOTrainer, trl.GRPOConfig, beta=0.1, loss_type="grpo")


def policies_accumulated() -> None:
    _improve(trl.GRPOTrainer, trl.GRPOConfig, gradient_accumulation_steps=3)


def policies_left_one_out() -> None:
    _improve(trl.RLOOTrainer, trl.RLOOConfig)


def preferences_of_odds() -> None:
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    train(ORPOTrainer, ORPOConfig, llama(), preferred())


def preferences_contrasted() -> None:
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    train(CPOTrainer, CPOConfig, llama(), preferred())


def main() -> None:
    torch.manual_seed(0)
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
