"""It calls functions in the forms that PyTorch takes: by keywords, with arrays, with `out`."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
rng = np.random.default_rng(0)
images, labels = torch.randn(96, 6, 4), torch.randint(3, (96,))
embed = nn.Embedding(num_embeddings=10, embedding_dim=4)
body, head = nn.Linear(in_features=4, out_features=8), nn.Linear(8, 3)
optimizer = torch.optim.AdamW(params=[*embed.parameters(), *body.parameters(), *head.parameters()])
for epoch in range(3):
    order = rng.permutation(96)
    for i in range(0, 96, 16):
        places = order[i : i + 16]
        x, y = images[places], labels[places]
        x = x[:, np.arange(6)][..., [0, 1, 2, 3]]
        x = torch.index_select(input=x, dim=0, index=torch.arange(len(x)))
        x = torch.cat(tensors=torch.split(tensor=x, split_size_or_sections=4, dim=0), dim=0)
        x = torch.stack(tensors=[*x.unbind(dim=1)], dim=1)
        x = torch.narrow(input=x, dim=1, start=0, length=6)
        a, b = x.chunk(chunks=2, dim=1)
        tokens = torch.as_tensor(data=rng.integers(0, 10, (len(x), 3)))
        h = body(torch.add(input=torch.cat((a, b), 1).mean(dim=1), other=0.1))
        h = h + F.linear(input=embed(tokens).mean(1), weight=body.weight, bias=body.bias)
        h = torch.clamp(input=h, min=-3)
        h = F.dropout(input=h, p=0.1, training=True)
        keep = np.where(y.numpy() >= 0)
        scores = head(input=h)[keep]
        scores = scores[np.array([True] * len(scores))]
        chosen = scores[range(len(y)), y.numpy()]
        also = torch.gather(input=scores, dim=1, index=y[:, None])[..., None, 0]
        with torch.no_grad():
            total = torch.empty(0)
            torch.sum(also, dim=0, out=total)
            mask = torch.zeros(len(y), 3, dtype=torch.bool)
            mask[np.arange(len(y)), y] = True
        loss = F.cross_entropy(input=scores, target=y, label_smoothing=0.1)
        loss = torch.add(loss, (chosen - also[:, 0]).abs().mean(), alpha=0.5)
        loss = loss + 1e-3 * torch.linalg.norm(scores.masked_fill(mask=~mask, value=0.0), ord=2)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(tensors=(loss,), grad_tensors=(torch.ones(()),))
        nn.utils.clip_grad_norm_(parameters=[*body.parameters()], max_norm=1.0)
        optimizer.step()
    with torch.no_grad():
        scores = head(body(images.mean(dim=1)))
        right = torch.eq(input=scores.argmax(dim=-1), other=labels).float().mean()
    print(f"epoch {epoch}: loss {loss.item():.3f} {right:.3f}")
