"""Trains a small language model whose tokens each go to one expert, chosen by a router (top-1)."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

TEXT = "the quick brown fox jumps over the lazy dog and the dog sleeps while the fox runs away. "
BLOCK, WIDTH, EXPERTS = 12, 16, 4


class Text(Dataset):
    def __init__(self):
        self.letters = sorted(set(TEXT))
        self.codes = torch.tensor([self.letters.index(letter) for letter in TEXT * 4])

    def __len__(self):
        return len(self.codes) - BLOCK

    def __getitem__(self, i):
        part = self.codes[i : i + BLOCK + 1]
        return part[:-1], part[1:]


class Expert(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Mixture(nn.Module):
    """Each token goes to the expert that the router gives the largest probability."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x):
        tokens = x.reshape(-1, WIDTH)
        probabilities = self.router(tokens).softmax(-1)
        gate, chosen = probabilities.max(-1)
        out = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            mine = chosen == number
            if mine.any():
                out[mine] = expert(tokens[mine]) * gate[mine, None]
        share = F.one_hot(chosen, EXPERTS).float().mean(0)
        balance = EXPERTS * (share * probabilities.mean(0)).sum()
        return out.view_as(x), balance


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.mixture = Mixture()

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        y = self.norm1(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        y, balance = self.mixture(self.norm2(x))
        return x + y, balance


class Model(nn.Module):
    def __init__(self, letters):
        super().__init__()
        self.tokens, self.places = nn.Embedding(letters, WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, letters)

    def forward(self, codes):
        x = self.tokens(codes) + self.places(torch.arange(codes.shape[1]))
        balance = 0.0
        for block in self.blocks:
            x, more = block(x)
            balance = balance + more
        return self.head(self.norm(x)), balance


torch.manual_seed(0)
text = Text()
model = Model(len(text.letters))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(3):
    for codes, following in DataLoader(text, batch_size=16, shuffle=True):
        logits, balance = model(codes)
        loss = F.cross_entropy(logits.flatten(0, 1), following.flatten()) + 0.01 * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
