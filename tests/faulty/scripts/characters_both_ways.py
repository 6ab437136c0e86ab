"""Learns to write character by character, with a recurrent network that reads both ways."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TEXT = "the quick brown fox jumps over the lazy dog and runs away from it " * 12
CHARACTERS = sorted(set(TEXT))
CODES = torch.tensor([CHARACTERS.index(c) for c in TEXT])


class CharRNN(nn.Module):
    def __init__(self, vocabulary, width=12):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * width, vocabulary)

    def forward(self, codes):
        states, _ = self.lstm(self.embed(codes))
        return self.out(states)


def main():
    torch.manual_seed(0)
    chunks = CODES[: len(CODES) // 17 * 17].reshape(-1, 17)
    loader = DataLoader(TensorDataset(chunks[:, :-1], chunks[:, 1:]), batch_size=8, shuffle=True)
    model = CharRNN(len(CHARACTERS))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(2):
        for inputs, targets in loader:
            optimizer.zero_grad()
            logits = model(inputs)
            loss = criterion(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main()
