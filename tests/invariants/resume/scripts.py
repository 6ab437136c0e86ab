"""A script that saves and resumes, as it is and with mistakes."""

from __future__ import annotations

from typing import Any

SCRIPT = """
import os
import sys
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(32, 6), torch.randint(3, (32,))
data = torch.utils.data.TensorDataset(x, y)
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.Adam(model.parameters(), 0.1)
{before}
start, skip, step, checkpoint = 0, 0, 0, None
if "--resume" in sys.argv:
    checkpoint = torch.load("last.pt", weights_only=False)
    model.load_state_dict(checkpoint["model"])
    {load}
    start, skip, step = checkpoint["epoch"], checkpoint["batch"], checkpoint["step"]
for epoch in range(start, 3):
    order = torch.Generator().manual_seed({seed})
    for batch, (a, b) in enumerate(torch.utils.data.DataLoader(data, 8, {order})):
        if epoch == start and batch < skip:
            continue
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
        {after}
        step += 1
        if {saves}:
            state = {{"model": model.state_dict(), "optimizer": optimizer.state_dict()}}
            state |= {{"epoch": epoch, "batch": batch + 1, "step": step, {more}}}
            {save}
{end}
"""
# Rows are noisy: a batch is never the same again, but the rows that it is made of are.
NOISY = """
import os
import sys
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(48, 6), torch.randint(3, (48,))
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.Adam(model.parameters(), 0.1)
start = skip = 0
if "--resume" in sys.argv:
    saved = torch.load("last.pt")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    {random}
    start, skip = {place}
for epoch in range(start, 5):
    order = torch.randperm(48, generator=torch.Generator().manual_seed(epoch)).split(8)
    for batch in range(skip, 6):
        optimizer.zero_grad()
        noisy = x[order[batch]] + 0.05 * torch.randn(8, 6)
        nn.functional.cross_entropy(model(noisy), y[order[batch]]).backward()
        optimizer.step()
        if batch % 2:
            state = {{"model": model.state_dict(), "optimizer": optimizer.state_dict()}}
            state |= {{"epoch": epoch, "batch": batch + 1, "random": torch.get_rng_state()}}
            torch.save(state, "next.pt")
            os.replace("next.pt", "last.pt")
    skip = 0
"""
RANDOM = "torch.set_rng_state(saved['random'])"
AT_THE_PLACE = "saved['epoch'], saved['batch']"


def noisy(*, random: str = RANDOM, place: str = AT_THE_PLACE) -> str:
    """Return the script with noise, with these lines."""
    return NOISY.format(random=random, place=place)


PLAIN = {
    "before": "",
    "load": "optimizer.load_state_dict(checkpoint['optimizer'])",
    "seed": "epoch",
    "order": "shuffle=True, generator=order",
    "after": "",
    "saves": "step % 3 == 0",
    "more": "",
    "save": 'torch.save(state, "next.pt"); os.replace("next.pt", "last.pt")',
    "end": "",
}
SCHEDULE = {
    "before": "schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 12)",
    "after": "schedule.step()",
}
AVERAGE = {
    "before": "average = {n: p.detach().clone() for n, p in model.named_parameters()}",
    "after": "[average[n].lerp_(p.detach(), 0.1) for n, p in model.named_parameters()]",
}
# It becomes worse on labels that belong to other rows, so that the first score is the best one.
BEST = {
    "before": "best = float('inf')",
    "after": "score = nn.functional.cross_entropy(model(x.flip(0)), y).item()\n"
    "        if score < best:\n"
    "            best = score\n"
    "            torch.save(model.state_dict(), 'best.pt')",
}
SCALER = {
    "before": "scaler = torch.amp.GradScaler('cpu', init_scale=4.0, growth_interval=2)",
    "after": "scaler.scale(torch.ones(())); scaler.update(8.0)",
}
NEXT_EPOCH = f"{PLAIN['load']}\n    checkpoint.update(epoch=checkpoint['epoch'] + 1, batch=0)"
FAULTS: dict[str, tuple[str, str, dict[str, Any]]] = {  # the invariant, what it says, the parts
    "schedule": ("resume/state", "the learning rate of update 8 is 0.0458 instead", SCHEDULE),
    "average": ("resume/state", "the average of the weights (a dictionary of tensors)", AVERAGE),
    "scale": ("resume/state", "the scale of the loss is 4 instead of 8", SCALER),
    "best": ("resume/state", "the best score so far is lost", BEST),
    "optimizer": ("resume/state", "the optimiser has no state, and had exp_avg", {"load": "pass"}),
    "one moment": (
        "resume/state",
        "in 1 of 12 entries, the first is exp_avg of Sequential.0.weight (Adam)",
        {
            "load": f"{PLAIN['load']}\n    "
            "optimizer.state[model[0].weight]['exp_avg'] = torch.zeros(8, 6)"
        },
    ),
    "head": (
        "resume/state",
        "2 of 4 trained tensors are not those that were saved, the first is Sequential.2.bias",
        {"load": f"{PLAIN['load']}\n    model[2].reset_parameters()"},
    ),
    "averaged": (
        "resume/state",
        "training goes on with the numbers of an average (a dictionary of tensors)",
        {
            **AVERAGE,
            "load": "model.load_state_dict(checkpoint['average'])",
            "more": "'average': average",
        },
    ),
    "count": (
        "resume/state",
        "its first loss is",
        {
            "before": "calls = 0\ndef count(*_):\n    global calls\n    calls += 1\n"
            "    return _[2] * (1 + 0.1 * calls)\nmodel.register_forward_hook(count)"
        },
    ),
    "skipped": (
        "resume/batches",
        "it leaves out batches: it goes on with the batch of update 9 instead of update 7",
        {"load": NEXT_EPOCH},
    ),
    "again": (
        "resume/batches",
        "the batch of update 5 instead of update 7, though 'sampler' is saved",
        {"load": f"{PLAIN['load']}\n    checkpoint['batch'] = 0", "more": "'sampler': 0"},
    ),
    "too few": (
        "resume/batches",
        "it ends after 9 updates in all instead of 12: batches are left out at its end",
        {"after": "if checkpoint and step == 8: break", "end": ""},
    ),
}
SCHEDULED = f"{PLAIN['load']}\n    schedule.load_state_dict(checkpoint['more'])"
SOUND: dict[str, dict[str, Any]] = {
    "plain": {},
    "schedule": {**SCHEDULE, "load": SCHEDULED, "more": "'more': schedule.state_dict()"},
    "average": {
        **AVERAGE,
        "load": f"{PLAIN['load']}\n    average = checkpoint['more']",
        "more": "'more': average",
    },
    "best": {
        **BEST,
        "load": f"{PLAIN['load']}\n    best = checkpoint['more']",
        "more": "'more': best",
    },
    "scale": {
        **SCALER,
        "load": f"{PLAIN['load']}\n    scaler.load_state_dict(checkpoint['more'])",
        "more": "'more': scaler.state_dict()",
    },
    "best weights, and gradients to print": {
        "before": "import copy\nbest, seen = {}, {}",
        "after": "best = copy.deepcopy(model.state_dict()) if step % 4 == 3 else best; "
        "seen = {n: p.grad.clone() for n, p in model.named_parameters()}",
    },
    "statistics of batches": {
        "before": "model.insert(1, nn.BatchNorm1d(8)); optimizer = "
        "torch.optim.Adam(model.parameters(), 0.1)"
    },
    "a whole model in the file": {
        "load": "model = checkpoint['whole']\n    "
        "optimizer = torch.optim.Adam(model.parameters(), 0.1)\n    " + PLAIN["load"],
        "more": "'whole': model",
    },
    "no momentum": {"before": "optimizer = torch.optim.SGD(model.parameters(), 0.1)"},
}
NOTED: dict[str, tuple[str, str, dict[str, Any]]] = {  # the note, what it says, the parts
    "begins the epoch again": (
        "resume/order",
        "it goes back to the batch of update 5 instead of update 7",
        {"load": f"{PLAIN['load']}\n    checkpoint['batch'] = 0"},
    ),
    "seeds of the process": (
        "resume/order",
        "it reads the batches once more with which the training began",
        {"order": "shuffle=True", "saves": "batch == 3", "load": NEXT_EPOCH},
    ),
    "the order of the next epoch": (
        "resume/order",
        "it reads its samples in another order",
        {
            "order": "shuffle=True",
            "load": f"{PLAIN['load']}\n    torch.set_rng_state(checkpoint['more'])",
            "more": "'more': torch.get_rng_state()",
        },
    ),
    "dropout": (
        "resume/random",
        "the random generator of PyTorch has another state than when it was saved",
        {"before": "model.insert(2, nn.Dropout(0.1))"},
    ),
    "half of a file": (
        "resume/half-written",
        "cannot be resumed from that (it fails: train.py raised RuntimeError: PytorchStreamReader",
        {"save": 'torch.save(state, "last.pt")'},
    ),
    "longer": (
        "resume/length",
        "it ends after 24 updates in all instead of 12",
        {
            "end": "if checkpoint:\n    for _ in range(12):\n        optimizer.zero_grad()\n"
            "        nn.functional.cross_entropy(model(a), b).backward()\n        optimizer.step()"
        },
    ),
}


def text(**parts: Any) -> str:
    """Return the script with these parts in place of the usual ones."""
    return SCRIPT.format(**{**PLAIN, **parts})
