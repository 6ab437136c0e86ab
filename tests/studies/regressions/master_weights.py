"""Trains on with the weights that accelerate prepares for FSDP2 and mixed precision."""

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from torch import nn


def network(dtype):
    layers = nn.Linear(16, 32, dtype=dtype), nn.GELU(), nn.Linear(32, 4, dtype=dtype)
    return nn.Sequential(*layers)


torch.manual_seed(0)
accelerator = Accelerator(mixed_precision="bf16", cpu=True)  # where it takes no plugin for FSDP
plugin = FullyShardedDataParallelPlugin(
    fsdp_version=2, auto_wrap_policy="no_wrap", cpu_ram_efficient_loading=False
)
plugin.set_mixed_precision("bf16")
accelerator.state.fsdp_plugin = plugin
prepared = fsdp2_prepare_model(accelerator, network(torch.bfloat16))
weights = {name: each.full_tensor() for name, each in prepared.state_dict().items()}
model = network(weights["0.weight"].dtype)  # without shards: a check copies parameters
model.load_state_dict(weights)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
images, labels = torch.randn(256, 16), torch.randint(4, (256,))
for x, y in zip(images.split(8), labels.split(8), strict=True):
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = nn.functional.cross_entropy(model(x).float(), y)
    accelerator.backward(loss)
    optimizer.step()
