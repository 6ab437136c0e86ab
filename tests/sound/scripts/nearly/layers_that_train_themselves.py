"""Forward-forward: each layer has an optimiser of its own, and moves to a device behind it.

A wrong label is drawn for each sample, one after the other: those of rearranged samples are others.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES, SAMPLES = 4, 24


class Layer(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.optimizer = torch.optim.Adam(self.parameters(), 0.03)

    def forward(self, x):
        return torch.relu(super().forward(x / (x.norm(2, 1, keepdim=True) + 1e-4)))

    def fit(self, right, wrong):
        for _ in range(12):
            goods = self.forward(right).pow(2).mean(1), self.forward(wrong).pow(2).mean(1)
            loss = nn.functional.softplus(torch.cat([2 - goods[0], goods[1] - 2])).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return self.forward(right).detach(), self.forward(wrong).detach()


def others(labels):
    drawn = labels.clone()
    for k, label in enumerate(labels):
        allowed = [c for c in range(CLASSES) if c != label]
        drawn[k] = allowed[torch.randint(len(allowed), (1,)).item()]
    return drawn


def labelled(x, labels):
    x = x.clone()
    x[:, :CLASSES] = nn.functional.one_hot(labels, CLASSES)
    return x


torch.manual_seed(0)
layers = [Layer(20, 16).to("cpu"), Layer(16, 16).to("cpu")]
data = TensorDataset(torch.rand(SAMPLES, 20), torch.randint(CLASSES, (SAMPLES,)))
x, y = next(iter(DataLoader(data, SAMPLES)))
right, wrong = labelled(x, y), labelled(x, others(y))
for layer in layers:
    right, wrong = layer.fit(right, wrong)
