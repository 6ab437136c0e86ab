"""The encoder's weights are named "encoder.", and the model calls it "backbone."."""

# promised: loop/loaded
import torch
from torch import nn


class Pretrained(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 24), nn.ReLU())


class Classifier(nn.Module):
    def __init__(self, file):
        super().__init__()
        self.backbone, self.head = nn.Sequential(nn.Linear(8, 24), nn.ReLU()), nn.Linear(24, 3)
        missing = self.load_state_dict(torch.load(file, weights_only=True), strict=False)
        print("loaded", len(missing.missing_keys))

    def forward(self, x):
        return self.head(self.backbone(x))


torch.manual_seed(0)
torch.save(Pretrained().state_dict(), "encoder.pt")
model = Classifier("encoder.pt")
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
