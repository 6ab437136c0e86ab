"""The words of the grammar: layers, activations, norms, poolings, attention, and losses.

A layer keeps the number of channels, which is the width. Each works at every width and size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Function = Callable[[Tensor], Tensor]
Make = Callable[[int], nn.Module]
CLASSES, FEATURES, WORDS = 3, 5, 11


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Residual(nn.Module):
    """Adds what a layer returns to what it is given."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layer(x)
        return out


class Gated(nn.Module):
    """Two layers side by side, one the gate of the other."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.layer(x), 1 if x.ndim == 4 else -1)


class Squeeze(nn.Module):
    """Weighs channels by a function of their means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.outer(F.relu(self.inner(x.mean((2, 3), keepdim=True))))
        return x * weights.sigmoid()


class ChannelsLast(nn.Module):
    """A layer on the last axis, applied to the channels of images."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


class Transposed(nn.Module):
    """A layer on the axis of time of a series."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.transpose(1, 2)).transpose(1, 2)
        return out


class First(nn.Module):
    """The first of what a recurrent layer returns."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)[0]
        return out


class Attention(nn.Module):
    """Attention of two heads, or of one if the width is odd; by SDPA or written out."""

    def __init__(self, width: int, *, causal: bool, written: bool) -> None:
        super().__init__()
        self.heads = 1 + (width % 2 == 0)
        self.all, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.causal, self.written = causal, written

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        q, k, v = (part.reshape(split).transpose(1, 2) for part in self.all(x).chunk(3, -1))
        if self.written:
            scores = q @ k.transpose(-1, -2) / split[-1] ** 0.5
            if self.causal:
                late = torch.ones(length, length, dtype=torch.bool).triu(1)
                scores = scores.masked_fill(late, float("-inf"))
            out = scores.softmax(-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(out.transpose(1, 2).reshape(batch, length, width))


class Rotary(nn.Module):
    """Turns pairs of channels by angles that grow along a series; an odd channel is left."""

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[2] // 2
        place = torch.arange(x.shape[1], dtype=x.dtype)[:, None]
        angle = place / 10.0 ** torch.arange(half, dtype=x.dtype)
        a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
        turned = a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos(), rest
        return torch.cat(turned, -1)


def _few(most: int, width: int) -> int:
    """Return the largest divisor of a width up to a number."""
    return max(n for n in range(1, most + 1) if width % n == 0)


def _pad(mode: str) -> Function:
    return lambda x: F.pad(x, (0, 1) * (x.ndim - 2), mode) if x.shape[-1] > 1 else x


def _even(x: Tensor) -> Tensor:
    """Return an image with sides that two divides."""
    return F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))


def _standardize(x: Tensor) -> Tensor:
    return (x - x.mean(-1, True)) / (x.var(-1, False, keepdim=True) + 0.1).sqrt()


def _focal(p: Tensor, y: Tensor) -> Tensor:
    return ((1 - p.softmax(1).gather(1, y)) ** 2 * -p.log_softmax(1).gather(1, y)).mean()


def _instance_norm(x: Tensor) -> Tensor:
    return F.instance_norm(x) if x[0, 0].numel() > 1 else x


def _as(function: Function) -> Make:
    return lambda _: Apply(function)


def _upsample(mode: str, corners: bool | None = None) -> Make:
    return _as(lambda x: F.interpolate(x, size=(7, 5), mode=mode, align_corners=corners))


ACTIVATIONS: dict[str, Make] = {
    "relu": _as(F.relu),
    "relu6": _as(F.relu6),
    "leaky-relu": _as(F.leaky_relu),
    "prelu": lambda _: nn.PReLU(),
    "elu": _as(F.elu),
    "selu": _as(F.selu),
    "celu": _as(F.celu),
    "gelu": _as(F.gelu),
    "gelu-tanh": lambda _: nn.GELU("tanh"),
    "silu": _as(F.silu),
    "mish": _as(F.mish),
    "softplus": _as(F.softplus),
    "softplus-steep": lambda _: nn.Softplus(5.0, 3.0),
    "softsign": _as(F.softsign),
    "sigmoid": _as(torch.sigmoid),
    "log-sigmoid": _as(F.logsigmoid),
    "tanh": _as(torch.tanh),
    "tanhshrink": _as(F.tanhshrink),
    "hardshrink": _as(F.hardshrink),
    "softshrink": _as(F.softshrink),
    "hardtanh": _as(F.hardtanh),
    "hardswish": _as(F.hardswish),
    "hardsigmoid": _as(F.hardsigmoid),
    "threshold": lambda _: nn.Threshold(0.1, -0.2),
    "sine": _as(torch.sin),
    "arctangent": _as(torch.atan),
    "arsinh": _as(torch.asinh),
    "erf": _as(torch.erf),
    "square-root": _as(lambda x: (x * x + 0.1).sqrt()),
    "inverse-root": _as(lambda x: (x * x + 0.1).rsqrt()),
    "logarithm": _as(lambda x: torch.log1p(x.abs())),
    "exponential": _as(lambda x: torch.expm1(x.clamp(-3, 3))),
    "power": _as(lambda x: (x.abs() + 0.1) ** 1.5),
    "cube": _as(lambda x: x**3 / 10),
    "remainder": _as(lambda x: torch.remainder(x, 0.7)),
    "sinc": _as(torch.sinc),
    "clamp": _as(lambda x: x.clamp(-0.5, 0.8)),
    "where": _as(lambda x: torch.where(x > 0.2, x.sin(), 0.3 * x)),
    "maximum": _as(lambda x: torch.maximum(x, -0.1 * x.square())),
    "lerp": _as(lambda x: torch.lerp(x, x.tanh(), 0.3)),
    "logaddexp": _as(lambda x: torch.logaddexp(x, -x)),
    "flip": _as(lambda x: x.flip(-1)),
    "roll": _as(lambda x: x.roll(1, -1)),
    "cumulative-sum": _as(lambda x: x.cumsum(-1)),
    "log-cumulative": _as(lambda x: x.logcumsumexp(-1)),
    "cumulative-product": _as(lambda x: x.sigmoid().cumprod(-1)),
    "softmax-last": _as(lambda x: x.softmax(-1)),
    "softmax-1": _as(lambda x: x.softmax(1)),
    "log-softmax": _as(lambda x: x.log_softmax(1)),
    "softmin": _as(lambda x: F.softmin(x, -1)),
    "normalize": _as(lambda x: F.normalize(x, dim=1, eps=1e-3)),
    "standardize": _as(_standardize),
    "sort": _as(lambda x: x.sort(-1).values),
    "top": _as(lambda x: x + x.topk(1, -1).values),
    "largest": _as(lambda x: x - x.amax(1, keepdim=True)),
    "log-sum": _as(lambda x: x - x.logsumexp(-1, keepdim=True)),
    "norm": _as(lambda x: x / (1 + x.norm(dim=-1, keepdim=True))),
}  # fmt: skip

IMAGE: dict[str, Make] = {
    **ACTIVATIONS,
    "conv1": lambda c: nn.Conv2d(c, c, 1),
    "conv3": lambda c: nn.Conv2d(c, c, 3, padding=1),
    "conv-dilated": lambda c: nn.Conv2d(c, c, 3, padding=2, dilation=2),
    "conv-stride": lambda c: nn.Conv2d(c, c, 3, 2, padding=1),
    "conv-depth": lambda c: nn.Conv2d(c, c, 3, padding=1, groups=c),
    "conv-groups": lambda c: nn.Conv2d(c, c, 3, padding=1, groups=_few(4, c), bias=False),
    "conv-reflect": lambda c: nn.Sequential(Apply(_pad("reflect")), nn.Conv2d(c, c, 1)),
    "conv-transposed": lambda c: nn.ConvTranspose2d(c, c, 2, 2),
    "conv-gated": lambda c: Gated(nn.Conv2d(c, 2 * c, 1)),
    "batch-norm": nn.BatchNorm2d,
    "instance-norm": _as(_instance_norm),
    "group-norm": lambda c: nn.GroupNorm(_few(4, c), c),
    "layer-norm": lambda c: ChannelsLast(nn.LayerNorm(c)),
    "rms-norm": lambda c: ChannelsLast(nn.RMSNorm(c)),
    "response-norm": lambda _: nn.LocalResponseNorm(3),
    "squeeze": Squeeze,
    "max-pool": lambda _: nn.MaxPool2d(2, 2, ceil_mode=True),
    "max-pool-padded": lambda _: nn.MaxPool2d(3, 2, 1),
    "average-pool": lambda _: nn.AvgPool2d(2, 2, ceil_mode=True),
    "average-pool-padded": lambda _: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    "adaptive-average-pool": lambda _: nn.AdaptiveAvgPool2d((3, 2)),
    "adaptive-max-pool": lambda _: nn.AdaptiveMaxPool2d((2, 3)),
    "power-pool": _as(lambda x: F.lp_pool2d(x.abs() + 0.1, 2.0, 2, ceil_mode=True)),
    "nearest": _upsample("nearest"),
    "nearest-exact": _upsample("nearest-exact"),
    "bilinear": _upsample("bilinear", False),
    "bilinear-corners": _upsample("bilinear", True),
    "bicubic": _upsample("bicubic", False),
    "area": _upsample("area"),
    "pad-reflect": _as(_pad("reflect")),
    "pad-replicate": _as(_pad("replicate")),
    "pad-circular": _as(_pad("circular")),
    "shuffle-pixels": lambda c: nn.Sequential(nn.Conv2d(c, 4 * c, 1), nn.PixelShuffle(2)),
    "unshuffle-pixels": lambda c: nn.Sequential(
        Apply(_even), nn.PixelUnshuffle(2), nn.Conv2d(4 * c, c, 1)
    ),
    "shuffle-channels": lambda c: nn.ChannelShuffle(_few(4, c)),
    "transpose": _as(lambda x: x.transpose(2, 3)),
    "slice": _as(lambda x: x[:, :, ::2, -1:]),
}

SERIES: dict[str, Make] = {
    **ACTIVATIONS,
    "linear": lambda c: nn.Linear(c, c),
    "linear-gated": lambda c: Gated(nn.Linear(c, 2 * c)),
    "feed-forward": lambda c: nn.Sequential(nn.Linear(c, 2 * c), nn.GELU(), nn.Linear(2 * c, c)),
    "layer-norm": nn.LayerNorm,
    "rms-norm": nn.RMSNorm,
    "batch-norm": lambda c: Transposed(nn.BatchNorm1d(c)),
    "attention": lambda c: Attention(c, causal=False, written=False),
    "attention-causal": lambda c: Attention(c, causal=True, written=False),
    "attention-written": lambda c: Attention(c, causal=False, written=True),
    "attention-written-causal": lambda c: Attention(c, causal=True, written=True),
    "conv1d": lambda c: Transposed(nn.Conv1d(c, c, 3, padding=1)),
    "conv1d-depth": lambda c: Transposed(nn.Conv1d(c, c, 3, padding=1, groups=c)),
    "average-pool": lambda _: Transposed(nn.AvgPool1d(3, 1, 1)),
    "max-pool": lambda _: Transposed(nn.MaxPool1d(3, 1, 1)),
    "gru": lambda c: First(nn.GRU(c, c, batch_first=True)),
    "lstm": lambda c: First(nn.LSTM(c, c, batch_first=True)),
    "rotary": lambda _: Rotary(),
    "difference": _as(lambda x: x - F.pad(x, (0, 0, 1, 0))[:, :-1]),
    "cumulative-mean": _as(
        lambda x: x.cumsum(1) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]
    ),
    "products": _as(lambda x: torch.einsum("btc,bsc,bsd->btd", x, x, x) / x.shape[1]),
    "last": _as(lambda x: x[:, -1:]),
    "reverse": _as(lambda x: x.flip(1)),
}

VECTOR: dict[str, Make] = {
    **ACTIVATIONS,
    "linear": lambda c: nn.Linear(c, c),
    "linear-plain": lambda c: nn.Linear(c, c, bias=False),
    "linear-gated": lambda c: Gated(nn.Linear(c, 2 * c)),
    "layer-norm": nn.LayerNorm,
    "rms-norm": nn.RMSNorm,
    "group-norm": lambda c: nn.GroupNorm(_few(4, c), c),
    "outer": _as(lambda x: (x[:, :, None] * x[:, None]).mean(1)),
    "distances": _as(lambda x: torch.cdist(x, x + 0.5) @ x / len(x)),
    "similar": _as(lambda x: (x @ x.T).softmax(1) @ x),
    "center": _as(lambda x: x - x.mean(0)),
}

LAYERS = {"image": IMAGE, "series": SERIES, "tokens": SERIES, "vector": VECTOR}
_OTHER_SHAPE = {
    *("conv-stride", "conv-transposed", "max-pool-padded", "power-pool"),
    *("adaptive-average-pool", "adaptive-max-pool", "transpose", "slice", "last"),
    *("nearest", "nearest-exact", "bilinear", "bilinear-corners", "bicubic", "area"),
    *("conv-reflect", "pad-reflect", "pad-replicate", "pad-circular"),
    *("shuffle-pixels", "unshuffle-pixels"),
}


def keeps_shape(kind: str, word: str) -> bool:
    """Return whether a layer may have a residual connection."""
    return word not in _OTHER_SHAPE and not (
        kind == "image" and word in ("max-pool", "average-pool")
    )


def first(kind: str, width: int) -> nn.Module:
    """Return the layer that data of a kind go into."""
    if kind == "image":
        return nn.Conv2d(FEATURES, width, 3, padding=1)
    return nn.Embedding(WORDS, width) if kind == "tokens" else nn.Linear(FEATURES, width)


def layer(kind: str, word: str, width: int) -> nn.Module:
    """Return the layer of a word; ``+gelu`` is a residual one."""
    made = LAYERS[kind][word.removeprefix("+")](width)
    return Residual(made) if word.startswith("+") else made


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "cross-entropy": lambda p, y, _: F.cross_entropy(p, y),
    "label-smoothing": lambda p, y, _: F.cross_entropy(p, y, label_smoothing=0.1),
    "weighted": lambda p, y, _: F.cross_entropy(p, y, torch.tensor([0.2, 1, 2], dtype=p.dtype)),
    "ignoring": lambda p, y, _: F.cross_entropy(p, y.masked_fill(y == 2, -100), reduction="sum"),
    "nll": lambda p, y, _: F.nll_loss(p.log_softmax(1), y),
    "margin": lambda p, y, _: F.multi_margin_loss(p, y),
    "mean-square": lambda p, _, t: F.mse_loss(p, t),
    "absolute": lambda p, _, t: F.l1_loss(p, t),
    "huber": lambda p, _, t: F.huber_loss(p, t, delta=0.7),
    "smooth": lambda p, _, t: F.smooth_l1_loss(p, t, beta=0.5),
    "binary": lambda p, _, t: F.binary_cross_entropy_with_logits(p, t.sigmoid()),
    "divergence": lambda p, _, t: F.kl_div(
        p.log_softmax(1), t.log_softmax(1), reduction="batchmean", log_target=True
    ),
    "poisson": lambda p, _, t: F.poisson_nll_loss(p.tanh(), t.square()),
    "gaussian": lambda p, _, t: F.gaussian_nll_loss(p, t, p.square() + 0.1),
    "cosine": lambda p, _, t: (1 - F.cosine_similarity(p, t, eps=1e-3)).mean(),
    "soft-margin": lambda p, _, t: F.soft_margin_loss(p, t.sign()),
    "focal": lambda p, y, _: _focal(p, y[:, None]),
}  # fmt: skip
