"""Modules and collectives for several GPUs, on one rank."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.cuda.comm
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

pytestmark = pytest.mark.usefixtures("cuda", "group")


@pytest.fixture
def group(cuda) -> Iterator[None]:
    """Make a process group of one rank."""
    distributed.init_process_group("nccl", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_data_parallel_is_its_module(cuda):
    model = nn.DataParallel(nn.Linear(2, 2), device_ids=[0, 1]).cuda()
    assert model(torch.ones(1, 2).cuda()).shape == (1, 2)
    assert [*cuda.uses] == ["nccl", "DataParallel", ".cuda"]


def test_ddp_and_batch_norm_over_ranks():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    x = torch.randn(2, 3, 5, 5)
    expected = plain(x)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(plain).cuda(0)
    model = DistributedDataParallel(model, device_ids=[0], output_device=0)
    found = model(x.cuda())
    torch.testing.assert_close(found, expected)
    found.sum().backward()


@pytest.mark.filterwarnings("ignore:.*reduce_scatter_tensor:FutureWarning")
def test_collectives_average():
    x, y = torch.ones(2).cuda(), torch.zeros(2)
    distributed.all_reduce(x, op=distributed.ReduceOp.AVG)
    distributed.reduce_scatter_tensor(y, x, op=distributed.ReduceOp.AVG)
    distributed.barrier(device_ids=[0])
    assert x.tolist() == y.tolist() == [1, 1]


@pytest.mark.slow
def test_fully_sharded_modules():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cuda", (1,))
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).to("cuda")
    for layer in (*model, model):
        fully_shard(layer, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()


def test_functions_for_several_gpus_have_one():
    model, x = nn.Linear(2, 2).cuda(), torch.ones(3, 2).cuda()
    expected = model(x)
    assert torch.equal(nn.parallel.data_parallel(model, x, range(1)), expected)
    replicas = nn.parallel.replicate(model, [0])
    inputs = nn.parallel.scatter(x, [0])
    outputs = nn.parallel.parallel_apply(replicas, inputs)
    assert torch.equal(nn.parallel.gather(outputs, 0), expected)
    assert torch.equal(torch.cuda.comm.broadcast(x, [0])[0], x)
    assert torch.equal(torch.cuda.comm.reduce_add([x, x]), 2 * x)


def test_attention_may_ask_for_kernels_of_gpus():
    from torch.nn.attention import SDPBackend, sdpa_kernel

    q = torch.ones(1, 1, 4, 8).cuda()
    for kernels in (SDPBackend.EFFICIENT_ATTENTION, [SDPBackend.CUDNN_ATTENTION]):
        with sdpa_kernel(kernels):
            assert nn.functional.scaled_dot_product_attention(q, q, q).shape == q.shape
