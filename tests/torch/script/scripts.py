"""Scripts as people write them, as text: a test writes one into a folder of its own."""

PLAIN = """
import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from network import Net

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--bug", action="store_true")


def main():
    args = parser.parse_args()
    torch.manual_seed(1)
    x = torch.randn(48, 5)
    data = TensorDataset(x, (x.sum(1) > 0).long())
    loader = DataLoader(data, batch_size=8, shuffle=True, num_workers=2)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    here = Path(__file__).resolve().parent
    (here / "out").mkdir(exist_ok=True)
    for epoch in range(args.epochs):
        for batch, (x, y) in enumerate(loader):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            if args.bug:
                net.first.weight.grad[:-1] *= 2  # here
            optimizer.step()
            scheduler.step()
            print(f"epoch {epoch} batch {batch}: {loss.item():.3f}")
        torch.save(net.state_dict(), here / "out" / "net.pt")
        net.load_state_dict(torch.load(here / "out" / "net.pt"))
    Path("log.txt").write_text("done")


if __name__ == "__main__":
    main()
"""

# Each update is a task of a loop that goes on behind it.
TASKS = """
import asyncio

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
images, labels = torch.randn(96, 6), torch.randint(3, (96,))


async def main():
    for x, y in zip(images.split(16), labels.split(16)):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        await asyncio.sleep(0)


asyncio.run(main())
"""

# Draws the graph of its model before and within the training, as TensorBoard does.
TRACED = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
torch.jit.trace(model, torch.randn(2, 6))
for _ in range(6):
    x, y = torch.randn(16, 6), torch.randint(3, (16,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    torch.jit.trace(model, x)
"""

# A method of its model multiplies by a parameter before it calls a layer.
USED_BEFORE_A_CALL = """
import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Parameter(torch.randn(6, 8)), nn.Linear(8, 3)

    def loss(self, x, y):
        return nn.functional.cross_entropy(self.head(torch.tanh(x @ self.first)), y)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), 0.01)
for _ in range(16):
    optimizer.zero_grad()
    model.loss(torch.randn(16, 6), torch.randint(3, (16,))).backward()
    optimizer.step()
"""

# A thread writes what each update has queued, as writers of logs do: often while it is suspended.
THREAD = """
import queue
import threading

import torch
from torch import nn

torch.manual_seed(0)
lines = queue.Queue()


def write():
    while True:
        line = lines.get()
        with open(b"log.txt", "a") as log:
            log.write(line)


threading.Thread(target=write, daemon=True).start()
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(8):
    x, y = torch.randn(16, 6), torch.randint(3, (16,))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    for _ in range(100):
        lines.put(f"{loss.item()}\\n")
"""

# Begins once in a process: what it has done there cannot be undone.
ONCE = PLAIN.replace(
    "def main():",
    """if hasattr(torch, "begun_by_a_script"):
    raise RuntimeError("it has begun already")
torch.begun_by_a_script = True


def main():""",
)

NETWORK = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 2)

    def forward(self, x):
        return self.second(self.first(x).tanh())
"""

BY_HAND = """
import torch

net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
for _ in range(6):
    x = torch.randn(8, 3)
    (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None
"""

NEVER_STEPPED = """
import torch

net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    x = torch.randn(8, 3)
    (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
    for parameter in net.parameters():
        parameter.data -= 0.1 * parameter.grad
"""

ADDS_NONE = """
import torch

net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
for _ in range(6):
    net.zero_grad()
    x = torch.randn(8, 3)
    (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
    for parameter in net.parameters():
        parameter.data.add_(parameter.grad, alpha=-0.1)  # an error from C++ without a gradient
"""

WRITES_IN_C = """
import ctypes

import torch

c = ctypes.CDLL(None)
file = c.open(b"data.bin", 2)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    x = torch.randn(8, 3)
    (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
    optimizer.step()
    assert c.write(file, b"ours", 4) == 4
"""

GAN = """
import torch
from torch import nn

bce = nn.functional.binary_cross_entropy_with_logits
generator = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
critic = nn.Sequential(nn.Linear(2, 7), nn.ReLU(), nn.Linear(7, 1))
of_generator = torch.optim.Adam(generator.parameters(), 1e-3)
of_critic = torch.optim.Adam(critic.parameters(), 1e-3)
for _ in range(4):
    real, one, zero = torch.randn(8, 2), torch.ones(8, 1), torch.zeros(8, 1)
    critic.zero_grad()
    bce(critic(real), one).backward()
    fake = generator(torch.randn(8, 3))
    bce(critic(fake.detach()), zero).backward()
    of_critic.step()
    generator.zero_grad()
    bce(critic(fake), one).backward()
    of_generator.step()
"""

AGENT = """
import torch


class Agent:
    def __init__(self):
        self.actor, self.critic = torch.nn.Linear(3, 2), torch.nn.Linear(5, 1)
        held = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimizer = torch.optim.SGD(held, 0.1)

    def update(self, seen):
        self.optimizer.zero_grad()
        self.critic(torch.cat([seen, self.actor(seen)], 1)).mean().backward()
        self.optimizer.step()


agent = Agent()
for _ in range(6):
    agent.update(torch.randn(4, 3))
"""

REPLACED = """
import torch

net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
net = torch.nn.Linear(3, 1)
for _ in range(6):
    optimizer.zero_grad()
    net(torch.randn(8, 3)).mean().backward()
    optimizer.step()
"""

METHODS = """
import torch


class Factors(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.users = torch.nn.Parameter(torch.ones(4, 3))

    def loss(self, user):
        return self.users[user].square().mean()


def main():
    model = Factors()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for i in range(6):
        model.loss(i % 4).backward()
        optimizer.step()
        optimizer.zero_grad()


main()
"""

OF_AN_IMAGE = """
import torch

net = torch.nn.Linear(3, 1).requires_grad_(False)
image = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([image], 0.1)
for _ in range(6):
    optimizer.zero_grad()
    net(image).square().sum().backward()
    optimizer.step()
"""

TRANSFORMED = """
import torch
from torch.func import functional_call, vmap

net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(6):
    optimizer.zero_grad()
    held = dict(net.named_parameters())
    loss = vmap(lambda x: functional_call(net, held, (x,)).square().mean())(torch.randn(2, 8, 3))
    loss.mean().backward()
    optimizer.step()
"""

CLOSURE = """
import torch

net = torch.nn.Linear(3, 1)
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=3)
x = torch.randn(8, 3)
for _ in range(6):
    def closure():
        optimizer.zero_grad()
        loss = (net(x) - x.prod(1, keepdim=True)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
"""

ACCUMULATED = """
import torch

net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(12):
    (net(torch.randn(8, 3)).mean() / 2).backward()
    if step % 2:
        optimizer.step()
        optimizer.zero_grad()
"""

LAZY = """
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.Dropout(0.5), nn.LazyLinear(1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(8):
    optimizer.zero_grad()
    net(torch.randn(8, 3)).mean().backward()
    optimizer.step()
"""

SWALLOWS = """
import torch

net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
while True:
    try:
        net(torch.randn(8, 3)).mean().backward()
        optimizer.step()
    except:
        pass
"""

RANKS = """
import sys

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

distributed.init_process_group("gloo")
rank = distributed.get_rank()
torch.manual_seed(rank)
net = DistributedDataParallel(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(6):
    optimizer.zero_grad()
    x = torch.randn(8, 3)
    (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
    if rank and sys.argv[1:] == ["alone"]:
        net.module[0].weight.grad.zero_()
    optimizer.step()
if rank == 0:
    torch.save(net.state_dict(), "net.pt")
distributed.destroy_process_group()
"""

# What ``PLAIN`` does, as a function.
FUNCTION = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from network import Net


def training():
    torch.manual_seed(1)
    x = torch.randn(48, 5)
    data = TensorDataset(x, (x.sum(1) > 0).long())
    loader = DataLoader(data, batch_size=8, shuffle=True)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    batches = (batch for _ in range(2) for batch in loader)

    def step(i):
        x, y = next(batches)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        scheduler.step()

    return net, step
"""

# Fill in the ``loss`` of a batch ``n``, ``x``, ``y``, and how it is put together.
LOADER = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, default_collate

entropy = nn.functional.cross_entropy
numbers, generator = np.random.default_rng(0), torch.Generator().manual_seed(1)


class Data(Dataset):
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, k):
        return k, self.x[k], int(self.x[k].sum() > 0)


def other(count):
    return torch.from_numpy(numbers.normal(size=(count, 5))).float()


def own(count):
    return torch.randn(count, 5, generator=generator)


def mixed(samples):
    n, x, y = default_collate(samples)
    return n, x + x[torch.randperm(len(x))], y


def time_first(samples):
    n, x, y = default_collate(samples)
    return n, x.T, y


def sorted_or_raise(n):
    if n.tolist() != sorted(n.tolist()):
        raise ValueError("not sorted")
    return 1


data = Data(torch.randn(43, 5))
net = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in DataLoader(data, batch_size=43):
    pass
for n, x, y in DataLoader(data, batch_size=8, collate_fn={collate}):
    optimizer.zero_grad()
    ({loss}).backward()
    optimizer.step()
"""

WHOLE_BATCHES = """
import torch
from torch.utils.data import DataLoader

net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for x in DataLoader(torch.randn(6, 8, 3), batch_size=None):
    optimizer.zero_grad()
    net(x).square().mean().backward()
    optimizer.step()
"""

EVALUATED = """
import torch

net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)


def evaluate(times):
    found = 0
    with torch.no_grad():
        for x in torch.randn(times, 8, 3):
            found += net(x).sum().item()
    return found


for step in range(6):
    net(torch.randn(8, 3)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 5 == 0:
        print(evaluate(4) + evaluate(2))
"""

# Fill in the ``folder`` of the database.
DATABASE = """
import sqlite3

import torch

database = sqlite3.connect("{folder}/data.db")
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(6):
    optimizer.zero_grad()
    loss = net(torch.randn(8, 3)).square().mean()
    loss.backward()
    optimizer.step()
    database.execute("insert into losses values (?, ?)", (step, loss.item()))
    database.commit()
"""

PROBE = """
import torch
from torch import nn

encoder = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))
probe = nn.Linear(4, 2)
optimizer = torch.optim.SGD(probe.parameters(), 0.1)
for _ in range(8):
    x = torch.randn(8, 5)
    loss = probe(encoder(x)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

ADVERSARIAL = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(8):
    x, y = torch.randn(8, 5), torch.randint(3, (8,))
    x.requires_grad_()
    loss = nn.functional.cross_entropy(net(x), y)
    {attack}
    optimizer.zero_grad()
    nn.functional.cross_entropy(net((x + 0.1 * gradient).detach()), y).backward()
    optimizer.step()
"""
