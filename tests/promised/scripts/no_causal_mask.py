"""An encoder of nn.Transformer without a mask is trained as a language model."""

# promised: loss/next-token
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(40, 32), nn.Embedding(16, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.body, self.head = (
            nn.TransformerEncoder(layer, 1, enable_nested_tensor=False),
            nn.Linear(32, 40),
        )

    def forward(self, x):
        return self.head(self.body(self.words(x) + self.places.weight[: x.shape[1]]))


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
data = TensorDataset(torch.randint(40, (96, 13)))
for _ in range(2):
    for (rows,) in DataLoader(data, 8, shuffle=True):
        scores = model(rows[:, :-1])
        loss = nn.functional.cross_entropy(scores.reshape(-1, 40), rows[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
