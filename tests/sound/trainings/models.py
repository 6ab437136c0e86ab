"""The models of the zoo: small, and as people write them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Return normal numbers that are data, the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(count: int, classes: int, seed: int = 0) -> Tensor:
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


def tokens(*shape: int, vocabulary: int = 11, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocabulary, shape, generator=generator)


class MLP(nn.Module):
    def __init__(self, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 9), nn.Linear(9, 7), nn.Linear(7, 4)
        self.activation = activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.fc2(self.activation(self.fc1(x))))
        out: Tensor = self.fc3(x)
        return out


class CNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.head = nn.Linear(5 * 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        out: Tensor = self.head(x.flatten(1))
        return out


class Residual(nn.Module):
    """A small ResNet with GroupNorm in the stem."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 6, 3, padding=1), nn.GroupNorm(3, 6)
        self.a, self.bn = nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 6, 3, padding=1, bias=False)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = x + self.b(F.relu(self.bn(self.a(x))))
        out: Tensor = self.head(x.mean((2, 3)))
        return out


class Depthwise(nn.Module):
    """An inverted residual, as in MobileNet."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.bn1 = nn.Conv2d(2, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.bn2, self.project = nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.bn1(self.expand(x)))
        x = F.relu6(self.bn2(self.depth(x)))
        out: Tensor = self.head(self.project(x).mean((2, 3)))
        return out


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.up, self.join = nn.ConvTranspose2d(6, 4, 2, stride=2), nn.Conv2d(8, 5, 3, padding=1)
        self.out = nn.Conv2d(5, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = F.silu(self.down(x))
        x = self.up(F.silu(self.middle(F.avg_pool2d(skip, 2))))
        out: Tensor = self.out(F.silu(self.join(torch.cat([skip, x], 1))))
        return out


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, c // self.heads).unbind(2)
        y = F.scaled_dot_product_attention(*(a.transpose(1, 2) for a in (q, k, v)), is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        out: Tensor = x + self.down(F.gelu(self.up(self.ln2(x))))
        return out


class GPT(nn.Module):
    """Fused qkv, learned positions, an output that shares the embedding."""

    def __init__(self, layers: int = 2, *, checkpointed: bool = False, tied: bool = True) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(11, 6), nn.Embedding(7, 6)
        self.blocks = nn.ModuleList(Block(6, 2) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 11, bias=False)
        if tied:
            self.head.weight = self.embedding.weight
        self.checkpointed = checkpointed

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x) + self.position(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        out: Tensor = self.head(self.norm(x))
        return out


class Encoder(nn.Module):
    """PyTorch's own encoder, dropout on."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.into, self.out = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.encoder(self.into(x)).mean(1))
        return out


class ViT(nn.Module):
    """Patches, a class token, nn.MultiheadAttention and a layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.token = nn.Conv2d(2, 6, 4, stride=4), nn.Parameter(numbers(1, 1, 6))
        self.position = nn.Parameter(0.1 * numbers(1, 5, 6, seed=1))
        self.norm, self.attention = nn.LayerNorm(6), nn.MultiheadAttention(6, 2, batch_first=True)
        self.scale, self.head = nn.Parameter(0.5 + torch.zeros(6)), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        y = self.norm(x)
        x = x + self.scale * self.attention(y, y, y, need_weights=False)[0]
        out: Tensor = self.head(x[:, 0])
        return out


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **options: bool) -> None:
        super().__init__()
        self.rnn = kind(5, 6, batch_first=True, **options)
        self.head = nn.Linear(12 if options.get("bidirectional") else 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.rnn(x)[0][:, -1])
        return out


class Cell(nn.Module):
    """A recurrent network by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.again, self.out = nn.Linear(5, 7), nn.Linear(7, 7), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), 7)
        for t in range(x.shape[1]):
            state = torch.tanh(self.into(x[:, t]) + self.again(state))
        out: Tensor = self.out(state)
        return out


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag, self.hidden, self.head = nn.EmbeddingBag(11, 6), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(torch.tanh(self.hidden(self.bag(x))))
        return out


class Autoencoder(nn.Module):
    """The decoder is the encoder's matrix, transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.bias = nn.Linear(6, 4), nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(torch.tanh(self.encoder(x)), self.encoder.weight.t(), self.bias)


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.log = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 3)
        self.up, self.out = nn.Linear(3, 8), nn.Linear(8, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = torch.tanh(self.hidden(x))
        mean, log = self.mean(hidden), self.log(hidden)
        z = mean + torch.randn_like(mean) * (log / 2).exp()
        return self.out(torch.tanh(self.up(z))), mean, log


class Experts(nn.Module):
    """Experts in one stacked tensor, mixed by a soft router."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.router = nn.Linear(6, count)
        self.up = nn.Parameter(0.4 * numbers(count, 6, 5))
        self.down = nn.Parameter(0.4 * numbers(count, 5, 4, seed=1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(torch.einsum("bi,eih->beh", x, self.up))
        out = torch.einsum("beh,eho->beo", hidden, self.down)
        return (self.router(x).softmax(-1)[..., None] * out).sum(1)


class RoutedExperts(Experts):
    """The same, but each sample is handed to its best two, in a loop."""

    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights and the numbers of the best two."""
        weights, chosen = self.router(x).softmax(-1).topk(2)
        return weights, chosen

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.choose(x)
        out = torch.zeros(len(x), 4)
        for number in chosen.unique():
            sample, place = torch.where(chosen == number)
            hidden = F.gelu(x[sample] @ self.up[number]) @ self.down[number]
            out.index_add_(0, sample, hidden * weights[sample, place, None])
        return out


class GroupedExperts(RoutedExperts):
    """Six experts in three groups: of the best two groups the best two, as in DeepSeek-V3."""

    def __init__(self) -> None:
        super().__init__(6)

    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.router(x).sigmoid()
        groups = scores.view(-1, 3, 2).sum(-1).topk(2).indices
        allowed = torch.zeros(len(x), 3).scatter(1, groups, 1.0).bool().repeat_interleave(2, 1)
        weights, chosen = scores.masked_fill(~allowed, -torch.inf).topk(2)
        return weights, chosen


class Graph(nn.Module):
    """Two graph convolutions over one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4)
        ring = torch.eye(12) + torch.eye(12).roll(1, 0) + torch.eye(12).roll(-1, 0)
        self.register_buffer("adjacency", ring / 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.adjacency @ self.b(F.relu(self.adjacency @ self.a(x)))
        return out


class Normed(nn.Module):
    """A parametrisation of every kind: weight and spectral norm."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        change = {
            "weight": parametrizations.weight_norm,
            "spectral": parametrizations.spectral_norm,
        }[norm]
        self.fc1, self.fc2 = change(nn.Linear(6, 8)), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(torch.tanh(self.fc1(x)))
        return out


class Gated(nn.Module):
    """RMSNorm and SwiGLU, as in Llama."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(6)
        self.gate, self.up = nn.Linear(6, 9, bias=False), nn.Linear(6, 9, bias=False)
        self.down, self.head = nn.Linear(9, 6, bias=False), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        out: Tensor = self.head(x + self.down(F.silu(self.gate(y)) * self.up(y)))
        return out
