"""Trains a small GPT that shifts its labels itself, on texts of unequal length."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

PAD, VOCABULARY, WIDTH = 0, 20, 16


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(16, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids, labels):
        length = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.tokens(ids) + self.places(torch.arange(length))
        logits = self.head(self.blocks(x, mask=mask, is_causal=True))
        later = labels[:, 1:].masked_fill(labels[:, 1:] == PAD, -100)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), later.flatten())


def main():
    torch.manual_seed(0)
    texts = [torch.randint(1, VOCABULARY, (int(n),)) for n in torch.randint(5, 12, (64,))]
    pad = nn.utils.rnn.pad_sequence
    loader = DataLoader(texts, 8, shuffle=True, collate_fn=lambda rows: pad(rows, batch_first=True))
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(2):
        for ids in loader:
            loss = model(ids, labels=ids)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main()
