"""One parameter is held, another one moved by hand, and one of two parts is loaded."""

import torch
from torch import nn

torch.manual_seed(0)
saved = {"encoder.weight": torch.randn(6, 6), "encoder.bias": torch.zeros(6)}
model = nn.ModuleDict({"encoder": nn.Linear(6, 6), "decoder": nn.Linear(6, 6)})
model.load_state_dict(saved, strict=False)
scale, shift = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.zeros(6))
optimizer = torch.optim.Adam([*model.parameters(), scale], 1e-3)
x = torch.randn(128, 6)
for _ in range(2):
    for i in torch.randperm(128).split(16):
        code = model["encoder"](x[i] + 0.1 * torch.rand(1))  # one strength of the noise for a batch
        code = code + 0.1 * torch.randn_like(code)
        loss = nn.functional.mse_loss(scale * model["decoder"](code) + shift, x[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            shift -= 0.1 * shift.grad
            shift.grad = None
