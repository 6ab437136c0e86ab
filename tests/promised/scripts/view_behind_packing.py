"""view() in place of transpose(), before rows are packed in the order of their lengths."""

# promised: model/samples
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.lstm, self.head = nn.Embedding(50, 16), nn.LSTM(16, 16), nn.Linear(16, 4)

    def forward(self, tokens, lengths):
        h = self.words(tokens)
        h = h.view(tokens.shape[1], tokens.shape[0], -1)  # (time, rows, width)
        packed = pack_padded_sequence(h, lengths, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], total_length=tokens.shape[1])
        return self.head(out[lengths - 1, torch.arange(len(lengths))])


torch.manual_seed(0)
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
lengths = torch.randint(3, 10, (96,))
tokens = torch.randint(1, 50, (96, 9)) * (torch.arange(9) < lengths[:, None])
kinds = torch.randint(4, (96,))
for epoch in range(2):
    for i in torch.randperm(96).split(8):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(tokens[i], lengths[i]), kinds[i])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
