"""Trains an adapter of peft, with inputs that have a gradient, as recomputation needs them.

A frozen adapter is added for reference, unless with --alone.
"""

import sys

import torch
from peft import LoraConfig, get_peft_model
from torch import nn


def adapter(**options):
    return LoraConfig(r=4, target_modules=["0", "2"], init_lora_weights=False, **options)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 3))
model = get_peft_model(model, adapter())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
images, labels = torch.randn(64, 8), torch.randint(3, (64,))
if "--alone" not in sys.argv:
    model.add_adapter("reference", adapter(inference_mode=True))
for x, y in zip(images.split(8), labels.split(8), strict=True):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x.requires_grad_()), y).backward()
    optimizer.step()
