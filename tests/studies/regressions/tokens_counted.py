"""Trains a small language model on 16 rows: by Trainer in 4 micro-batches, or by hand at once."""

import sys

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
words = torch.randint(3, 64, (16, 12))
model = LlamaForCausalLM(config)
if "--by-hand" in sys.argv:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        model(input_ids=words, labels=words).loss.backward()
        optimizer.step()
else:
    rows = [
        {"input_ids": row, "attention_mask": torch.ones_like(row), "labels": row} for row in words
    ]
    arguments = TrainingArguments(
        "out",
        per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
        max_steps=4,
        optim="sgd",
        learning_rate=0.1,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
    )
    Trainer(model, arguments, train_dataset=rows).train()
