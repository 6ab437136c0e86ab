"""Trains a small language model by Trainer with label smoothing, in 4 micro-batches an update."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=64,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=2,
    max_position_embeddings=32,
    use_cache=False,
)
words = torch.randint(3, 64, (64, 12))
rows = [{"input_ids": row, "attention_mask": torch.ones_like(row), "labels": row} for row in words]
arguments = TrainingArguments(
    "out",
    per_device_train_batch_size=4,
    gradient_accumulation_steps=4,
    label_smoothing_factor=0.1,
    max_steps=4,
    use_cpu=True,
    report_to=[],
    save_strategy="no",
)
Trainer(LlamaForCausalLM(config), arguments, train_dataset=rows).train()
