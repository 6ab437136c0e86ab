"""A recurrent model of eight series; each slice holds successive steps of time, not samples."""

import torch
from torch import nn


class Forecast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.LSTM(1, 6), nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.cell(x[..., None])
        return self.out(hidden)[..., 0]


torch.manual_seed(0)
series = torch.randn(120, 8).cumsum(0) / 10  # (time, series)
model = Forecast()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(3):
    for start in range(0, 110, 10):
        x, y = series[start : start + 10], series[start + 1 : start + 11]
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
