"""As maintainers of accelerate would test a loop: accumulation, clipping, schedules."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from symmetry import check_training
from tests.conftest import needs

pytestmark = [needs("accelerate"), pytest.mark.filterwarnings("ignore")]

LOOP = ["loop/gradients", "loop/batches", "loop/schedule", "loop/modes", "loss/weights"]
STEPS = ["symmetry/samples", "symmetry/repeatable", "training/resume", "training/moves"]


def loop():
    from accelerate import Accelerator

    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=12)
    data = TensorDataset(torch.randn(64, 5), torch.randint(3, (64,)))
    loader = DataLoader(data, batch_size=4, shuffle=True)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    for _ in range(3):
        for inputs, labels in loader:
            with accelerator.accumulate(model):
                accelerator.backward(nn.functional.cross_entropy(model(inputs), labels))
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()


@check_training(only=[*LOOP, *STEPS], budget=6)
def test_loop():
    loop()
