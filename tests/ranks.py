"""Trainings for ``torchrun`` with two processes on a CPU, sound ones and others."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
RANK, WORLD = dist.get_rank(), dist.get_world_size()


def batch(i, rank):
    generator = torch.Generator().manual_seed(100 * i + rank)
    x = torch.randn(8, 5, generator=generator)
    return x, torch.randint(4, (8,), generator=generator)


def _network():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4))


def _training(model, *, after_backward=lambda: None, after_step=lambda i: None, rank=RANK):
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def step(i):
        x, y = batch(i, rank)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        after_backward()
        optimizer.step()
        after_step(i)

    return model, step


def replicated():
    return _training(DistributedDataParallel(_network()))


def other_tokens():
    """Each rank has its own tokens, and takes the mean over as many as it shows."""
    network = nn.Sequential(nn.Embedding(12, 8), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 12))
    model = DistributedDataParallel(network)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(i):
        generator = torch.Generator().manual_seed(100 * i + RANK)
        tokens = torch.randint(12, (4, 6), generator=generator)
        labels = tokens.roll(-1, 1)
        labels[:, 2 + 3 * RANK :] = -100
        optimizer.zero_grad()
        F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten()).backward()
        optimizer.step()

    return model, step


def drifts():
    network = _network()

    def drift(i):
        if RANK == 1 and i == 1:
            with torch.no_grad():
                network[2].weight[0, 0] += 1e-6

    return _training(DistributedDataParallel(network), after_step=drift)


def plain():
    network = _network()

    def average():
        for parameter in network.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= WORLD

    return _training(network, after_backward=average)


def forgets_a_bias():
    network = _network()

    def average():
        for parameter in list(network.parameters())[:-1]:
            dist.all_reduce(parameter.grad)
            parameter.grad /= WORLD

    return _training(network, after_backward=average)


def starts_apart():
    torch.manual_seed(RANK)
    return _training(_network())


def sharded():
    network = _network()
    fully_shard(network, mesh=init_device_mesh("cpu", (WORLD,)))
    return _training(network)


def in_parts():
    network = _network()
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    parallelize_module(network, init_device_mesh("cpu", (WORLD,)), plan)
    return _training(network, rank=0)


def raises():
    def fail(i):
        if RANK == 1:
            raise RuntimeError("no room on this rank")

    return _training(DistributedDataParallel(_network()), after_step=fail)
