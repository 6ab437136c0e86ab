"""A small language model in float16, with gradients clipped behind their scale."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, d=32, heads=4):
        super().__init__()
        self.first, self.second = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.heads = heads

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (
            self.qkv(self.first(x))
            .view(b, t, 3, self.heads, d // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.second(x))


class Model(nn.Module):
    def __init__(self, words=50, d=32):
        super().__init__()
        self.words, self.places = nn.Embedding(words, d), nn.Embedding(16, d)
        self.blocks = nn.Sequential(Block(d), Block(d))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, words, bias=False)

    def forward(self, x):
        h = self.words(x) + self.places(torch.arange(x.shape[1], device=x.device))
        return self.head(self.norm(self.blocks(h)))


model = Model().cuda()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
scaler = torch.cuda.amp.GradScaler()
text = torch.randint(50, (64, 17))
for _epoch in range(4):
    for rows in text.split(8):
        x, y = rows[:, :-1].cuda(), rows[:, 1:].cuda()
        with torch.cuda.amp.autocast():
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
