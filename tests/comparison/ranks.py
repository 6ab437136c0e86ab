"""One training in one process, and the same and others for ``torchrun`` with two."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from symmetry.base.ranks import rank, world

SAMPLES = 8  # of each rank


def _network():
    return nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 4))


def batch(i, share=True):
    """Return a rank's share of a batch, or all of it."""
    generator = torch.Generator().manual_seed(i)
    x = torch.randn(2 * SAMPLES, 5, generator=generator)
    y = torch.randint(4, (2 * SAMPLES,), generator=generator)
    mine = slice(rank() * SAMPLES, (rank() + 1) * SAMPLES) if share else slice(None)
    return x[mine], y[mine]


def _training(model, *, share=True, exchange=lambda parameters: None):
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)

    def step(i):
        x, y = batch(i, share)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        exchange(dict(model.named_parameters()))
        optimizer.step()

    return model, step


def _group():
    if not dist.is_initialized():
        dist.init_process_group("gloo")


def whole():
    return _training(_network(), share=False)


def replicated():
    _group()
    return _training(nn.parallel.DistributedDataParallel(_network()))


def sharded():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    _group()
    network, mesh = _network(), init_device_mesh("cpu", (world(),))
    fully_shard(network[0], mesh=mesh)
    fully_shard(network, mesh=mesh)
    return _training(network)


def in_parts():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    _group()
    network = nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 4))
    plan = {
        "0": ColwiseParallel(output_layouts=_replicated()),
        "3": RowwiseParallel(input_layouts=_replicated()),
    }
    parallelize_module(network, init_device_mesh("cpu", (world(),)), plan)
    return _training(network, share=False)


def _replicated():
    from torch.distributed.tensor import Replicate

    return Replicate()


def _exchanging(divisor):
    """Add the gradients of all ranks, and divide each by what its name says."""

    def exchange(parameters):
        for name, parameter in parameters.items():
            if (by := divisor(name)) is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= by

    _group()
    return _training(_network(), exchange=exchange)


def averaged():
    return _exchanging(lambda name: 2)


def summed():
    return _exchanging(lambda name: 1)


def keeps_a_bias():
    return _exchanging(lambda name: None if name == "3.bias" else 2)


def partly_divided():
    return _exchanging(lambda name: 1 if name.startswith("1.") else 2)
