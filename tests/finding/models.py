"""Small trainings of many architectures, with their groups of equal units counted by hand."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint


class Model(nn.Module):
    """A module made of its parts by name and one function of itself and the inputs."""

    def __init__(self, forward, **parts):
        super().__init__()
        self._forward = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self._forward(self, *inputs)


def normal(*shape):
    """Return a function that draws a batch."""
    return lambda generator: torch.randn(*shape, generator=generator)


def integers(below, *shape):
    return lambda generator: torch.randint(0, below, shape, generator=generator)


def train(model, loss, *draws):
    def step(i):
        generator = torch.Generator().manual_seed(100 + i)
        loss(model, *(draw(generator) for draw in draws)).backward()

    return model, step


def classify(model, inputs, classes):
    return train(
        model,
        lambda m, x, y: F.cross_entropy(m(x), y),
        inputs,
        integers(classes, inputs(torch.Generator()).shape[0]),
    )


def mlp():
    layers = nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3)
    return classify(nn.Sequential(*layers), normal(8, 5), 3)


def cnn():
    """Channels twice, then hidden units."""
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(20, 9),
        nn.ReLU(),
        nn.Linear(9, 4),
    )
    return classify(model, normal(6, 3, 8, 8), 4)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x, causal):
        b, t, d = x.shape
        q, k, v = (
            z.view(b, t, self.heads, -1).transpose(1, 2) for z in self.qkv(x).split(d, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.proj(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, width, heads, hidden, causal):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.fc, self.out = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.causal = causal

    def forward(self, x):
        x = x + self.attn(self.norm1(x), self.causal)
        return x + self.out(F.gelu(self.fc(self.norm2(x))))


def gpt():
    """The residual stream; in each of 2 layers hidden units, heads, and twice 3 dimensions."""

    def forward(m, tokens):
        x = m.wte(tokens) + m.wpe(torch.arange(tokens.shape[1]))
        for block in m.blocks:
            x = block(x)
        return m.head(m.norm(x))

    model = Model(
        forward,
        wte=nn.Embedding(11, 12),
        wpe=nn.Embedding(7, 12),
        blocks=nn.ModuleList([Block(12, 3, 20, causal=True) for _ in range(2)]),
        norm=nn.LayerNorm(12),
        head=nn.Linear(12, 11, bias=False),
    )
    model.head.weight = model.wte.weight
    return train(
        model,
        lambda m, x: F.cross_entropy(m(x)[:, :-1].flatten(0, 1), x[:, 1:].flatten()),
        integers(11, 3, 7),
    )


def vit():
    """As ``gpt``."""

    def forward(m, x):
        x = m.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([m.cls.expand(len(x), -1, -1), x], dim=1) + m.positions
        return m.head(m.norm(m.blocks(x))[:, 0])

    model = Model(
        forward,
        patch=nn.Conv2d(3, 12, 4, 4),
        cls=nn.Parameter(torch.randn(1, 1, 12)),
        positions=nn.Parameter(torch.randn(1, 5, 12)),
        blocks=nn.Sequential(*[Block(12, 3, 18, causal=False) for _ in range(2)]),
        norm=nn.LayerNorm(12),
        head=nn.Linear(12, 3),
    )
    return classify(model, normal(3, 3, 8, 8), 3)


def llama():
    """Per layer: hidden units; key heads; in each, its query heads and its value dimensions.

    Rotary embeddings fix the query/key dimensions. The residual stream runs through all layers.
    """

    def rotated(x):
        t, d = x.shape[-2:]
        angles = torch.outer(torch.arange(float(t)), 100 ** (-torch.arange(0, d, 2) / d))
        angles = torch.cat([angles, angles], dim=-1)
        turned = torch.cat([-x[..., d // 2 :], x[..., : d // 2]], dim=-1)
        return x * angles.cos() + turned * angles.sin()

    def layer(m, x):
        b, t, _ = x.shape
        y = m.norm1(x)
        q, k, v = (p(y).view(b, t, -1, 4).transpose(1, 2) for p in (m.q, m.k, m.v))
        k, v = (z.repeat_interleave(2, dim=1) for z in (rotated(k), v))
        y = F.scaled_dot_product_attention(rotated(q), k, v, is_causal=True)
        x = x + m.o(y.transpose(1, 2).reshape(b, t, -1))
        y = m.norm2(x)
        return x + m.down(F.silu(m.gate(y)) * m.up(y))

    def make():
        return Model(
            layer,
            norm1=nn.RMSNorm(16),
            norm2=nn.RMSNorm(16),
            q=nn.Linear(16, 16, bias=False),
            k=nn.Linear(16, 8, bias=False),
            v=nn.Linear(16, 8, bias=False),
            o=nn.Linear(16, 16, bias=False),
            gate=nn.Linear(16, 20, bias=False),
            up=nn.Linear(16, 20, bias=False),
            down=nn.Linear(20, 16, bias=False),
        )

    model = nn.Sequential(
        nn.Embedding(11, 16), make(), make(), nn.RMSNorm(16), nn.Linear(16, 11, bias=False)
    )
    return train(
        model,
        lambda m, x: F.cross_entropy(m(x)[:, :-1].flatten(0, 1), x[:, 1:].flatten()),
        integers(11, 4, 7),
    )


def lstm():
    model = Model(
        lambda m, x: m.head(m.rnn(x)[0][:, -1]),
        rnn=nn.LSTM(4, 5, batch_first=True),
        head=nn.Linear(5, 3),
    )
    return classify(model, normal(6, 8, 4), 3)


def gru():
    """The units of both directions."""
    model = Model(
        lambda m, x: m.head(m.rnn(x)[0].mean(1)),
        rnn=nn.GRU(4, 5, batch_first=True, bidirectional=True),
        head=nn.Linear(10, 3),
    )
    return classify(model, normal(6, 6, 4), 3)


def own_cell():
    def forward(m, x):
        h = torch.zeros(len(x), 6)
        for t in range(x.shape[1]):
            new = torch.tanh(m.inner(x[:, t]) + m.recurrent(h))
            gate = torch.sigmoid(m.gate(h))
            h = gate * h + (1 - gate) * new
        return m.head(h)

    model = Model(
        forward,
        inner=nn.Linear(4, 6),
        recurrent=nn.Linear(6, 6, bias=False),
        gate=nn.Linear(6, 6),
        head=nn.Linear(6, 2),
    )
    return classify(model, normal(6, 5, 4), 2)


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.down = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.down(x) + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


def resnet():
    """The channels of two stages, and those inside three blocks."""
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        Basic(6, 6, 1),
        Basic(6, 8, 2),
        Basic(8, 8, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    return classify(model, normal(4, 3, 8, 8), 4)


def mobilenet():
    """The channels outside; inside of two inverted residuals; and of the first convolution."""

    def inverted(inputs, hidden, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    model = Model(
        lambda m, x: m.head((lambda y: y + m.second(y))(m.first(m.stem(x))).mean((2, 3))),
        stem=nn.Conv2d(3, 5, 3, 2),
        first=inverted(5, 10, 6),
        second=inverted(6, 12, 6),
        head=nn.Linear(6, 3),
    )
    return classify(model, normal(5, 3, 9, 9), 3)


def grouped():
    """8 channels in 2 groups: 2. Of 12, those that lie in one group of both sides: 4. Then 3."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, groups=2),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, groups=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 4, 4),
    )
    return classify(model, normal(5, 3, 6, 6), 4)


def grouped_finely(*more, width=16):
    """Channels in each of 4 groups, before and after, dead or not; the groups, but not halves."""
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=4), nn.ReLU(), *more]
    layers[2].bias.data[[1, 6, 7, 12]] = -9.0
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 9, 4))
    return classify(model, normal(5, 3, 6, 6), 4)


def grouped_finely_and_joined():
    """The same, and the channels of one layer more."""
    return grouped_finely(nn.Conv2d(16, 6, 1), nn.ReLU(), width=6)


def one_place():
    """Hidden units. Where there is one place to look at, it does not matter what asks for what."""

    def forward(m, x):
        weights = (m.query(x) @ m.key(x).mT).softmax(-1)
        return m.head(m.inside(weights @ x).tanh()).squeeze(1)

    parts = {name: nn.Sequential(nn.Linear(5, 4)) for name in ("query", "key")}
    model = Model(forward, **parts, inside=nn.Linear(5, 4), head=nn.Linear(4, 3))
    return classify(model, normal(6, 1, 5), 3)


def densenet():
    """The first channels, and those that each of three layers adds."""

    def forward(m, x):
        x = m.stem(x)
        for norm, conv in zip(m.norms, m.convs, strict=True):
            x = torch.cat([x, conv(F.relu(norm(x)))], dim=1)
        return m.head(x.mean((2, 3)))

    widths = range(6, 18, 4)
    model = Model(
        forward,
        stem=nn.Conv2d(3, 6, 3, padding=1),
        norms=nn.ModuleList([nn.BatchNorm2d(w) for w in widths]),
        convs=nn.ModuleList([nn.Conv2d(w, 4, 3, padding=1, bias=False) for w in widths]),
        head=nn.Linear(18, 3),
    )
    return classify(model, normal(5, 3, 6, 6), 3)


def gan(*, freezes=False):
    """The hidden units of generator and discriminator."""
    g = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4))
    d = nn.Sequential(nn.Linear(4, 7), nn.LeakyReLU(), nn.Linear(7, 1))
    optimizer_g, optimizer_d = (torch.optim.Adam(m.parameters(), 1e-3) for m in (g, d))
    judge = F.binary_cross_entropy_with_logits

    def step(i):
        generator = torch.Generator().manual_seed(i)
        real, noise = (torch.randn(8, n, generator=generator) for n in (4, 3))
        d.requires_grad_(True)
        optimizer_d.zero_grad()
        loss = judge(d(real), torch.ones(8, 1)) + judge(d(g(noise).detach()), torch.zeros(8, 1))
        loss.backward()
        optimizer_d.step()
        d.requires_grad_(not freezes)
        optimizer_g.zero_grad()
        judge(d(g(noise)), torch.ones(8, 1)).backward()
        optimizer_g.step()

    return nn.ModuleDict({"g": g, "d": d}), step


def gan_that_freezes():
    """The same: the discriminator is frozen while the generator learns."""
    return gan(freezes=True)


def autoencoder():
    """Hidden units; its two matrices are one."""
    model = Model(
        lambda m, x: F.linear(torch.sigmoid(F.linear(x, m.w, m.b)), m.w.t(), m.c),
        w=nn.Parameter(torch.randn(5, 8) * 0.4),
        b=nn.Parameter(torch.zeros(5)),
        c=nn.Parameter(torch.zeros(8)),
    )
    return train(model, lambda m, x: F.mse_loss(m(x), x), normal(6, 8))


def vae():
    """Hidden units of both sides, and the latent ones, into which noise goes."""

    def forward(m, x):
        h = F.relu(m.enc(x))
        mean, log_variance = m.mean(h), m.log_variance(h)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        divergence = (mean**2 + log_variance.exp() - log_variance - 1).sum() / 2
        return F.mse_loss(m.out(F.relu(m.dec(z))), x, reduction="sum") + divergence

    model = Model(
        forward,
        enc=nn.Linear(8, 6),
        mean=nn.Linear(6, 3),
        log_variance=nn.Linear(6, 3),
        dec=nn.Linear(3, 5),
        out=nn.Linear(5, 8),
    )
    return train(model, lambda m, x: m(x), normal(6, 8))


def graph_attention():
    """Heads twice, and the dimensions in each of three heads."""

    class Layer(nn.Module):
        def __init__(self, inputs, outputs, heads):
            super().__init__()
            self.w = nn.Linear(inputs, outputs * heads, bias=False)
            self.a = nn.Parameter(torch.randn(heads, outputs))
            self.b = nn.Parameter(torch.randn(heads, outputs))

        def forward(self, x, edges):
            z = self.w(x).view(len(x), *self.a.shape)
            scores = F.leaky_relu((z * self.a).sum(-1)[:, None] + (z * self.b).sum(-1)[None])
            weights = scores.masked_fill(edges[..., None] == 0, -1e9).softmax(1)
            return torch.einsum("ijh,jho->iho", weights, z)

    edges = (torch.rand(9, 9) > 0.5) + torch.eye(9)
    model = Model(
        lambda m, x: m.second(F.elu(m.first(x, edges).flatten(1)), edges).mean(1),
        first=Layer(5, 4, 3),
        second=Layer(12, 3, 2),
    )
    return classify(model, normal(9, 5), 3)


class Experts(nn.Module):
    def __init__(self, top):
        super().__init__()
        self.top = top
        self.router = nn.Linear(6, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 6)) for _ in range(4)
        )

    def forward(self, x):
        weights = self.router(x).softmax(-1)
        if not self.top:
            return x + sum(weights[:, e, None] * f(x) for e, f in enumerate(self.experts))
        weights, chosen = weights.topk(self.top, dim=-1)
        out = x
        for e, expert in enumerate(self.experts):
            sample, place = torch.where(chosen == e)
            out = out.index_add(0, sample, expert(x[sample]) * weights[sample, place, None])
        return out


def experts():
    """The residual stream, the hidden units of four experts, and the experts."""
    model = nn.Sequential(nn.Linear(4, 6), Experts(0), nn.Linear(6, 3))
    return classify(model, normal(12, 4), 3)


def top_experts():
    """As ``experts``."""
    model = nn.Sequential(nn.Linear(4, 6), Experts(2), nn.Linear(6, 3))
    return classify(model, normal(40, 4), 3)


def of_stacked_experts(forward, count=3):
    """Return a model with so many experts, whose weights are stacked."""
    return Model(
        forward,
        embed=nn.Linear(4, 6),
        router=nn.Linear(6, count),
        w1=nn.Parameter(torch.randn(count, 6, 5)),
        w2=nn.Parameter(torch.randn(count, 5, 6)),
        head=nn.Linear(6, 3),
    )


def stacked_experts():
    """The residual stream, the hidden units of three experts, and the experts."""

    def forward(m, x):
        x = m.embed(x)
        hidden = F.relu(torch.einsum("bd,edh->beh", x, m.w1))
        results = torch.einsum("beh,ehd->bed", hidden, m.w2)
        return m.head(x + (m.router(x).softmax(-1)[..., None] * results).sum(1))

    model = of_stacked_experts(forward)
    return classify(model, normal(12, 4), 3)


def in_a_loop(choose):
    """Return a forward that hands each sample to the experts that ``choose`` gives it, in a loop.

    ``choose`` returns their weights and numbers.
    """

    def forward(m, x):
        x = m.embed(x)
        weights, chosen = choose(m, x)
        out = torch.zeros_like(x)
        for number in chosen.unique():
            sample, place = torch.where(chosen == number)
            hidden = F.gelu(x[sample] @ m.w1[number]) @ m.w2[number]
            out.index_add_(0, sample, hidden * weights[sample, place, None])
        return m.head(x + out)

    return forward


def looped_experts():
    """As ``stacked_experts``, but each sample is handed to its best two, in a loop.

    A buffer has a number for each expert.
    """
    best = in_a_loop(lambda m, x: (m.router(x) + m.bias).softmax(-1).topk(2))
    model = of_stacked_experts(best)
    model.register_buffer("bias", torch.tensor([0.1, -0.1, 0.0]))
    return classify(model, normal(40, 4), 3)


def experts_in_groups():
    """The stream, the hidden units of six experts, three groups of experts, and two in each.

    As in DeepSeek's models: each sample chooses two groups, and then two experts of these.
    """

    def choose(m, x):
        scores = m.router(x).sigmoid()
        groups = scores.view(-1, 3, 2).sum(-1).topk(2).indices
        allowed = torch.zeros(len(x), 3).scatter(1, groups, 1.0).bool().repeat_interleave(2, 1)
        return scores.masked_fill(~allowed, -torch.inf).topk(2)

    return classify(of_stacked_experts(in_a_loop(choose), 6), normal(60, 4), 3)


def glu():
    """Units that lie in both halves of a matrix, and hidden units."""
    layers = nn.Linear(5, 12), nn.GLU(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)
    return classify(nn.Sequential(*layers), normal(8, 5), 3)


def spectral():
    """Two layers of hidden units; buffers that are overwritten before they are read."""
    model = nn.Sequential(
        spectral_norm(nn.Linear(5, 6)),
        nn.ReLU(),
        weight_norm(nn.Linear(6, 7)),
        nn.ReLU(),
        spectral_norm(nn.Linear(7, 3)),
    )
    return classify(model, normal(8, 5), 3)


def checkpointed():
    model = Model(
        lambda m, x: m.head(
            checkpoint(lambda y: torch.tanh(m.b(y)), torch.tanh(m.a(x)), use_reentrant=False)
        ),
        a=nn.Linear(5, 6),
        b=nn.Linear(6, 7),
        head=nn.Linear(7, 3),
    )
    return classify(model, normal(8, 5), 3)


def normalised_glu():
    """In each of 2 groups 4 channels; units in both halves, each with a norm; the last channels."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1, groups=2),
        nn.GroupNorm(2, 12),
        nn.GLU(1),
        nn.Conv2d(6, 5, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5 * 16, 4),
    )
    return classify(model, normal(5, 3, 6, 6), 4)


def translator():
    """Dimensions of two embeddings, units of encoder and decoder, dimensions of the attention."""

    def forward(m, source, target):
        encoded, last = m.encoder(m.source(source))
        state, outputs = torch.tanh(m.bridge(last[0])), []
        for token in target.T:
            scores = m.score(torch.tanh(m.keys(encoded) + m.query(state)[:, None]))
            context = (scores.softmax(1) * encoded).sum(1)
            state = m.cell(torch.cat([m.target(token), context], 1), state)
            outputs.append(m.head(torch.cat([state, context], 1)))
        return torch.stack(outputs, 1)

    model = Model(
        forward,
        source=nn.Embedding(9, 5),
        encoder=nn.GRU(5, 6, batch_first=True),
        bridge=nn.Linear(6, 7),
        score=nn.Linear(4, 1, bias=False),
        keys=nn.Linear(6, 4),
        query=nn.Linear(7, 4, bias=False),
        target=nn.Embedding(10, 3),
        cell=nn.GRUCell(9, 7),
        head=nn.Linear(13, 10),
    )
    return train(
        model,
        lambda m, x, y: F.cross_entropy(m(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten()),
        integers(9, 6, 5),
        integers(10, 6, 4),
    )


def encoder_decoder():
    """Two streams, hidden units twice, heads three times, and in each of 2 heads 2 x dimensions."""
    model = Model(
        lambda m, x, y: m.head(m.both(m.source(x), m.target(y))),
        source=nn.Embedding(9, 4),
        target=nn.Embedding(9, 4),
        both=nn.Transformer(4, 2, 1, 1, 6, 0.0, batch_first=True),
        head=nn.Linear(4, 9),
    )
    return train(
        model,
        lambda m, x, y: F.cross_entropy(m(x, y).flatten(0, 1), y.flatten()),
        integers(9, 4, 6),
        integers(9, 4, 5),
    )


def unused_layer():
    """Two layers of the last block are not used: no group lies in them alone."""

    def forward(m, x):
        x, total = m.first(x), 0
        for inner, skip, back in zip(m.inner, m.skip, m.back, strict=True):
            hidden = torch.tanh(inner(x))
            x, total = x + back(hidden), total + skip(hidden)
        return m.head(F.relu(total))

    layers = {
        "inner": nn.ModuleList(nn.Conv1d(6, 5, 2, padding="same") for _ in range(2)),
        "skip": nn.ModuleList(nn.Conv1d(5, 7, 1) for _ in range(2)),
        "back": nn.ModuleList(nn.Conv1d(5, 6, 1) for _ in range(2)),
    }
    model = Model(forward, first=nn.Conv1d(2, 6, 1), head=nn.Conv1d(7, 4, 1), **layers)
    return train(
        model, lambda m, x, y: F.cross_entropy(m(x), y), normal(3, 2, 12), integers(4, 3, 12)
    )


def routed():
    """As ``experts``; a layer's inputs are as many as the experts, and these add in place."""

    def forward(m, x):
        x = m.first(x)
        weights, chosen = m.router(x).topk(2, -1)
        out = torch.zeros_like(x)
        for e, expert in enumerate(m.experts):
            sample, place = torch.where(chosen == e)
            out[sample] += weights.softmax(-1)[sample, place, None] * expert(x[sample])
        return m.last(x + out)

    model = Model(
        forward,
        first=nn.Linear(4, 6),
        router=nn.Linear(6, 4, bias=False),
        experts=nn.ModuleList(
            nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 6)) for _ in range(4)
        ),
        last=nn.Linear(6, 3),
    )
    return classify(model, normal(40, 4), 3)


def relative_bias():
    """Heads, found first by their biases; the dimensions in them; weights that nobody asks for."""

    def forward(m, x):
        q, k, v = m.qkv(x).view(4, 5, 3, 3, 4).permute(2, 0, 3, 1, 4)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT + m.bias
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(4, 5, 12)
        return m.head(mixed.mean(1))

    model = Model(forward, bias=nn.Parameter(torch.randn(3, 5, 5)), qkv=nn.Linear(6, 36))
    model.head = nn.Linear(12, 3)
    return classify(model, normal(4, 5, 6), 3)


def averaged_weights():
    """Attention folds its heads into the batch, and averages weights that nobody uses."""

    def forward(m, x):
        memory = m.embed(x)
        return m.head(m.attention(m.latents.expand(4, -1, -1), memory, memory)[0].mean(1))

    return classify(
        Model(
            forward,
            latents=nn.Parameter(torch.randn(3, 8)),
            embed=nn.Linear(5, 6),
            attention=nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True),
            head=nn.Linear(8, 3),
        ),
        normal(4, 7, 5),
        3,
    )


def maxout():
    """Units, and the three pieces of each: which one is the largest does not matter."""
    parts = {"pieces": nn.Linear(5, 18), "head": nn.Linear(6, 3)}
    model = Model(lambda m, x: m.head(m.pieces(x).view(8, 6, 3).max(-1).values), **parts)
    return classify(model, normal(8, 5), 3)


def fourier():
    """Channels before and after a product of complex numbers."""

    def forward(m, x):
        waves = torch.fft.rfft(m.first(x))
        mixed = torch.zeros(4, 5, 7, dtype=waves.dtype)
        weights = torch.view_as_complex(m.weights)
        mixed[..., :4] = torch.einsum("bik,iok->bok", waves[..., :4], weights)
        return m.head(torch.tanh(torch.fft.irfft(mixed, n=12)).mean(-1))

    weights = nn.Parameter(torch.randn(6, 5, 4, 2))
    model = Model(forward, first=nn.Conv1d(2, 6, 1), weights=weights, head=nn.Linear(5, 3))
    return classify(model, normal(4, 2, 12), 3)


def capsules():
    """Two capsules of convolutions, the dimensions in each, and those of three predictions."""

    def forward(m, x):
        inner = F.normalize(m.conv(x).view(4, 2, 4, 9).mT.reshape(4, 18, 4), dim=-1)
        return torch.einsum("kjdi,bki->bjd", m.weights, inner).norm(dim=-1)

    weights = nn.Parameter(torch.randn(18, 3, 5, 4))
    return classify(Model(forward, weights=weights, conv=nn.Conv2d(1, 8, 3)), normal(4, 1, 5, 5), 3)


def masked_attention():
    """Heads whose scores are replaced by a large array where a mask says so."""

    def forward(m, x):
        z = m.w(x).view(9, 3, 4).permute(1, 0, 2)
        scores = z @ m.a[:, :4] + (z @ m.a[:, 4:]).mT
        scores = torch.where(mask, scores, -9e15 * torch.ones_like(scores))
        return m.head((scores.softmax(-1) @ z).permute(1, 0, 2).reshape(9, 12))

    mask = (torch.rand(9, 9) > 0.5) | torch.eye(9).bool()
    model = Model(forward, a=nn.Parameter(torch.randn(3, 8, 1)))
    model.w, model.head = nn.Linear(5, 12, bias=False), nn.Linear(12, 3)
    return classify(model, normal(9, 5), 3)


class Averaging(nn.Module):
    """Running means by hand: of the first half in place, of the other as a new tensor."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("first", torch.zeros(size))
        self.register_buffer("other", torch.zeros(size))

    def forward(self, x):
        now = x.detach().mean(0)
        self.first.mul_(0.9).add_(now, alpha=0.1)
        self.other = 0.9 * self.other + 0.1 * now
        return x - x.mean(0)


def averaging():
    layers = nn.Linear(5, 7), Averaging(7), nn.Tanh(), nn.Linear(7, 3)
    return classify(nn.Sequential(*layers), normal(8, 5), 3)


def momentum_contrast():
    """A slower copy follows within the forward, by its data, and fills a queue: MoCo."""

    def forward(m, x, y):
        query = F.normalize(m.fast(x), dim=1)
        for slow, fast in zip(m.slow.parameters(), m.fast.parameters(), strict=True):
            slow.data = slow.data * 0.9 + fast.data * 0.1
        key = F.normalize(m.slow(y), dim=1).detach()
        scores = torch.cat([(query * key).sum(1, keepdim=True), query @ m.queue.clone()], 1)
        m.queue[:, :4] = key.T
        return scores

    fast, slow = (nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4)) for _ in range(2))
    model = Model(forward, fast=fast, slow=slow.requires_grad_(False))
    model.register_buffer("queue", torch.randn(4, 9))

    def loss(m, x, y):
        return F.cross_entropy(m(x, y), torch.zeros(4, dtype=torch.long))

    return train(model, loss, normal(4, 5), normal(4, 5))


def quantised():
    """Hidden units of both sides, the dimensions of the codes, and the codes: VQ-VAE."""

    def forward(m, x):
        z = m.inner(F.relu(m.enc(x)))
        code = m.codes(((z[:, None] - m.codes.weight) ** 2).sum(-1).argmin(1))
        distance = F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())
        return F.mse_loss(m.out(F.relu(m.dec(z + (code - z).detach()))), x) + distance

    model = Model(
        forward,
        enc=nn.Linear(5, 8),
        inner=nn.Linear(8, 4),
        codes=nn.Embedding(6, 4),
        dec=nn.Linear(4, 7),
        out=nn.Linear(7, 5),
    )
    nn.init.normal_(model.codes.weight, 0, 0.3)
    return train(model, lambda m, x: m(x), normal(40, 5))


def chosen_matrices():
    """A stream, the hidden units of three experts, and the experts, taken by their numbers."""

    def forward(m, x):
        x = m.embed(x)
        weight, chosen = m.router(x).softmax(-1).topk(1, -1)
        hidden = F.relu(torch.bmm(x[:, None], m.w1[chosen[:, 0]]))
        return m.head(x + weight * torch.bmm(hidden, m.w2[chosen[:, 0]])[:, 0])

    model = Model(
        forward,
        embed=nn.Linear(4, 6),
        router=nn.Linear(6, 3, bias=False),
        w1=nn.Parameter(torch.randn(3, 6, 5)),
        w2=nn.Parameter(torch.randn(3, 5, 6)),
        head=nn.Linear(6, 3),
    )
    return classify(model, normal(24, 4), 3)


def twin_critics():
    """The hidden units of both critics, and the critics."""

    def critic():
        return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 1))

    model = nn.ModuleDict({"q1": critic(), "q2": critic()})

    def loss(m, x, y):
        first, second = m["q1"](x), m["q2"](x)
        return F.mse_loss(first, y) + F.mse_loss(second, y) - torch.min(first, second).mean()

    return train(model, loss, normal(8, 5), normal(8, 1))


def empty_memory():
    """Attention over a memory that stays zero: no exchange shows there."""

    def attend(m, x):
        h = m.embed(x)
        both = torch.cat([m.memory, h], 1)
        q, k, v = (
            z.view(*z.shape[:2], 2, 8).transpose(1, 2) for z in (m.q(h), *m.kv(both).chunk(2, -1))
        )
        found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return m.head(m.norm(h + m.o(found.reshape(h.shape))))

    model = Model(
        attend,
        embed=nn.Embedding(9, 16),
        q=nn.Linear(16, 16),
        kv=nn.Linear(16, 32),
        o=nn.Linear(16, 16),
        norm=nn.LayerNorm(16),
        head=nn.Linear(16, 9),
    )
    model.register_buffer("memory", torch.zeros(4, 6, 16))

    def loss(model, x):
        return F.cross_entropy(model(x).flatten(0, 1), x.flatten())

    return train(model, loss, integers(9, 4, 8))


def dots():
    """The factors of a factorisation machine: they are summed over in products of each pair."""

    def score(m, x, single, several):
        dense = m.bottom(x)
        rows = torch.stack([dense, m.single(single), m.several(several)], 1)
        products = torch.bmm(rows, rows.transpose(1, 2))[:, *torch.tril_indices(3, 3, -1)]
        return m.top(torch.cat([dense, products], 1))

    model = Model(
        score,
        bottom=nn.Linear(5, 8),
        single=nn.Embedding(9, 8),
        several=nn.EmbeddingBag(9, 8, mode="sum"),
        top=nn.Linear(11, 3),
    )
    return train(
        model,
        lambda m, *given: F.cross_entropy(m(*given[:-1]), given[-1]),
        *(normal(8, 5), integers(9, 8), integers(9, 8, 3), integers(3, 8)),
    )


def held_copies():
    """An optimiser that holds copies of the parameters: they are no modules to be exchanged."""
    layers = nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 3)
    model, differentiate = classify(nn.Sequential(*layers), normal(8, 5), 3)
    optimizer = torch.optim.SGD([p.detach().clone() for p in model.parameters()], 0.1)

    def step(i):
        differentiate(i)
        optimizer.step()

    return model, step


def decision_steps():
    """As TabNet: one half of what a gated layer returns goes on, the other one is summed up."""

    def decide(m, x):
        chosen, found = F.glu(m.first(x))[:, 8:], 0
        for attend, transform in ((m.attend, m.second), (m.attend_again, m.third)):
            h = F.glu(transform(x * attend(chosen).softmax(1)))
            chosen, found = h[:, 8:], found + F.relu(h[:, :8])
        return m.head(found)

    layers = {name: nn.Linear(6, 32) for name in ("first", "second", "third")}
    layers |= {name: nn.Linear(8, 6) for name in ("attend", "attend_again")}
    return classify(Model(decide, head=nn.Linear(8, 3), **layers), normal(8, 6), 3)


def few_rows():
    """Dimensions of an embedding, of which each batch reads other rows, and hidden units."""
    model = Model(
        lambda m, x: m.head(torch.tanh(m.fc(m.embed(x) + m.offset))),
        offset=nn.Parameter(torch.randn(6)),
        embed=nn.Embedding(17, 6),
        fc=nn.Linear(6, 5),
        head=nn.Linear(5, 3),
    )

    def step(i):
        F.cross_entropy(model(torch.arange(8) + 3 + i), torch.arange(8) % 3).backward()

    return model, step


def soft_experts():
    """The stream, three experts, and the hidden units of each: no operation takes one apart."""

    def forward(m, x):
        x = m.embed(x)
        logits = x @ m.slots
        slots = logits.softmax(1).transpose(1, 2) @ x
        results = F.relu(slots.transpose(0, 1) @ m.w1) @ m.w2
        return m.head((x + logits.softmax(2) @ results.transpose(0, 1)).mean(1))

    model = Model(
        forward,
        embed=nn.Linear(4, 6),
        slots=nn.Parameter(torch.randn(6, 3)),
        w1=nn.Parameter(torch.randn(3, 6, 5)),
        w2=nn.Parameter(torch.randn(3, 5, 6)),
        head=nn.Linear(6, 3),
    )
    return classify(model, normal(7, 8, 4), 3)


def masked_experts():
    """The stream, three experts that write to their samples, and the hidden units of each.

    A start that is moved far sends all samples to one expert.
    """

    def expert():
        return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 8))

    def forward(m, x):
        x = F.relu(m.embed(x))
        weight, chosen = m.router(x).softmax(-1).max(-1)
        results = torch.zeros_like(x)
        for number, own in enumerate(m.experts):
            mask = chosen == number
            results[mask] = own(x[mask]) * weight[mask, None]
        return m.head(x + results)

    model = Model(
        forward,
        embed=nn.Linear(5, 8),
        router=nn.Linear(8, 3),
        experts=nn.ModuleList([expert() for _ in range(3)]),
        head=nn.Linear(8, 3),
    )
    return classify(model, normal(96, 5), 3)


def core_tensor():
    """Dimensions that lie along two axes of one tensor, and those of the relations."""

    def forward(m, x):
        subject, relation = x[:, 0], x[:, 1] % 4
        matrices = torch.einsum("br,rij->bij", m.relations(relation), m.core)
        found = torch.einsum("bi,bij->bj", m.norm(m.entities(subject)), matrices)
        return m.norm(found) @ m.entities.weight.T

    model = Model(
        forward,
        entities=nn.Embedding(11, 5),
        relations=nn.Embedding(4, 3),
        core=nn.Parameter(torch.randn(3, 5, 5)),
        norm=nn.BatchNorm1d(5),
    )
    return classify(model, integers(11, 9, 2), 11)


def equal_samples():
    """A state that is the same for all samples at first, and the hidden units of its change."""

    def forward(m, x):
        h = torch.zeros(len(x), 7)
        for t in range(x.shape[1]):
            h = m.cell(x[:, t], h + 0.1 * m.change(h))
        return m.head(h)

    model = Model(
        forward,
        cell=nn.GRUCell(3, 7),
        change=nn.Sequential(nn.Linear(7, 9), nn.Tanh(), nn.Linear(9, 7)),
        head=nn.Linear(7, 2),
    )
    return classify(model, normal(5, 4, 3), 2)


def largest_words():
    """Dimensions and hidden units: words that lose everywhere are no units of their own."""
    model = Model(
        lambda m, x: m.head(F.leaky_relu(m.inner(m.words(x, torch.tensor([0, 3, 4, 9]))))),
        words=nn.EmbeddingBag(11, 6, mode="max"),
        inner=nn.Linear(6, 5),
        head=nn.Linear(5, 3),
    )
    return train(model, lambda m, x, y: F.cross_entropy(m(x), y), integers(11, 12), integers(3, 4))


def late():
    """The units of two networks, of which one is trained from the second step on."""

    def network(units):
        return nn.Sequential(nn.Linear(3, units), nn.Tanh(), nn.Linear(units, 1))

    model = nn.ModuleDict({"critic": network(8), "actor": network(6)})

    def step(i):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(i))
        for name in ("critic", "actor")[: 1 + i % 2]:
            model[name](x).square().mean().backward()

    return model, step


def weak_heads():
    """Heads, and two groups in each: the loss hardly depends on queries and keys at the start."""
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    model = Model(
        lambda m, x: m.head((x + m.scale * m.attention(m.norm(x), m.norm(x), m.norm(x))[0])[:, 0]),
        norm=nn.LayerNorm(16),
        attention=attention,
        scale=nn.Parameter(torch.full((16,), 1e-5)),
        head=nn.Linear(16, 3),
    )
    for weight in (attention.in_proj_weight, attention.out_proj.weight):
        nn.init.normal_(weight, std=2e-4)
    return classify(model, normal(6, 5, 16), 3)


class Noisy(nn.Module):
    """A layer whose weights are noisy; the noise is drawn anew on request."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.mean = nn.Parameter(torch.randn(outputs, inputs))
        self.size = nn.Parameter(torch.full((outputs, inputs), 0.1))
        self.register_buffer("noise", torch.zeros(outputs, inputs))

    def draw(self):
        self.noise.copy_(torch.outer(*(torch.randn(n).sign() for n in self.noise.shape)))

    def forward(self, x):
        return F.linear(x, self.mean + self.size * self.noise)


def noisy():
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), Noisy(7, 6), nn.ReLU(), Noisy(6, 3))
    model, step = classify(model, normal(8, 5), 3)

    def drawing(i):
        model[2].draw(), model[4].draw()
        step(i)

    return model, drawing


def flat_twins():
    """Two networks whose layers are those of one module."""
    layers = {f"l{k}": nn.Linear(*((5, 7), (7, 6), (6, 1))[k % 3]) for k in range(6)}

    def forward(self, x):
        return [c(torch.tanh(b(torch.tanh(a(x))))) for a, b, c in self.networks]

    model = Model(forward, **layers)
    model.networks = [[*layers.values()][:3], [*layers.values()][3:]]
    return train(
        model, lambda m, x, y: sum(F.mse_loss(q, y) for q in m(x)), normal(8, 5), normal(8, 1)
    )


def functional_dropout():
    """Units are dropped outside of any module."""
    shapes = {"first": (5, 7), "second": (7, 6), "third": (6, 3)}
    weights = nn.ParameterDict({name: torch.randn(*shape) for name, shape in shapes.items()})

    def loss(model, x, y):
        hidden = F.dropout(torch.relu(x @ model["first"]), 0.2)
        return F.cross_entropy(torch.relu(hidden @ model["second"]) @ model["third"], y)

    return train(weights, loss, normal(8, 5), integers(3, 8))


def dead_units():
    """Hidden units of layers whose ReLUs are dead on all samples, many of them."""
    sizes = [5, *[8] * 9]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(8, 3))
    with torch.no_grad():
        for layer in layers[::2]:
            layer.bias[::3] = -0.5
            layer.weight[::3] *= 0.1
    return classify(model, normal(9, 5), 3)


def drawn_slopes():
    """Hidden units behind leaky ReLUs whose slopes are drawn."""
    model = nn.Sequential(nn.Linear(5, 8), nn.RReLU(), nn.Linear(8, 3))
    return classify(model, normal(9, 5), 3)


COUNTED = {
    mlp: 2,
    cnn: 3,
    resnet: 5,
    mobilenet: 4,
    grouped: 9,
    grouped_finely: 9,
    one_place: 1,
    grouped_finely_and_joined: 10,
    densenet: 4,
    gpt: 17,
    llama: 13,
    vit: 17,
    lstm: 1,
    gru: 2,
    own_cell: 1,
    gan: 2,
    gan_that_freezes: 2,
    autoencoder: 1,
    vae: 3,
    graph_attention: 5,
    stacked_experts: 5,
    looped_experts: 5,
    experts_in_groups: 11,
    experts: 6,
    top_experts: 6,
    glu: 2,
    spectral: 2,
    checkpointed: 2,
    normalised_glu: 4,
    translator: 5,
    encoder_decoder: 19,
    unused_layer: 4,
    routed: 6,
    averaging: 1,
    momentum_contrast: 2,
    relative_bias: 7,
    averaged_weights: 9,
    maxout: 7,
    fourier: 2,
    capsules: 6,
    masked_attention: 4,
    quantised: 4,
    chosen_matrices: 5,
    few_rows: 2,
    twin_critics: 3,
    dots: 1,
    decision_steps: 3,
    held_copies: 1,
    soft_experts: 5,
    masked_experts: 5,
    core_tensor: 2,
    equal_samples: 2,
    largest_words: 2,
    late: 2,
    weak_heads: 5,
    noisy: 2,
    flat_twins: 5,
    functional_dropout: 2,
    dead_units: 9,
    drawn_slopes: 1,
}
