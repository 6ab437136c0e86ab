"""A small GPT in PyTorch, and the same in Flax with its weights."""

from __future__ import annotations

from functools import partial

import numpy as np

from symmetry import compare
from tests.conftest import needs

pytestmark = [needs("jax"), needs("flax"), needs("optax")]

WORDS, LENGTH, WIDTH, HEADS, BATCH = 11, 6, 8, 2, 3
EPSILON = 1e-5
RENAMED = (r"(Dense|LayerNorm|Embed)_(\d)\.(embedding|scale)=\1_\2.weight",)


def texts(step):
    return np.random.default_rng(step).integers(0, WORDS, (BATCH, LENGTH + 1))


def original():
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.LayerNorm_0 = nn.LayerNorm(WIDTH, eps=EPSILON)
            self.Dense_0, self.Dense_1 = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.LayerNorm_1 = nn.LayerNorm(WIDTH, eps=EPSILON)
            self.Dense_2, self.Dense_3 = nn.Linear(WIDTH, 32), nn.Linear(32, WIDTH)

        def forward(self, x):
            q, k, v = self.Dense_0(self.LayerNorm_0(x)).chunk(3, -1)
            q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.Dense_1(y.transpose(1, 2).flatten(2))
            return x + self.Dense_3(F.gelu(self.Dense_2(self.LayerNorm_1(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.Embed_0, self.Embed_1 = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.Block_0, self.Block_1 = Block(), Block()
            self.LayerNorm_0 = nn.LayerNorm(WIDTH, eps=EPSILON)
            self.Dense_0 = nn.Linear(WIDTH, WORDS)

        def forward(self, text):
            x = self.Embed_0(text) + self.Embed_1(torch.arange(text.shape[1]))
            return self.Dense_0(self.LayerNorm_0(self.Block_1(self.Block_0(x))))

    torch.manual_seed(0)
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.01)

    def step(text):
        logits = model(text[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step, {"batch": lambda i: torch.as_tensor(texts(i))}


def weights():
    """Return PyTorch's weights as Flax has them."""
    found = {}
    for name, tensor in original()[0].state_dict().items():
        *path, kind = name.split(".")
        array = tensor.numpy()
        if "Dense" in path[-1] and kind == "weight":
            kind, array = "kernel", array.T
        kind = {"LayerNorm": "scale", "Embed": "embedding"}.get(path[-1][:-2], kind) * (
            kind == "weight"
        ) or kind
        inner = found
        for word in path:
            inner = inner.setdefault(word, {})
        inner[kind] = array
    return {"params": found}


def port(epsilon=EPSILON):
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    import optax

    class Block(nn.Module):
        epsilon: float

        @nn.compact
        def __call__(self, x):
            q, k, v = jnp.split(
                nn.Dense(3 * WIDTH)(nn.LayerNorm(epsilon=EPSILON, use_fast_variance=False)(x)),
                3,
                -1,
            )
            q, k, v = (t.reshape(*t.shape[:2], HEADS, -1) for t in (q, k, v))
            scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(WIDTH // HEADS)
            mask = jnp.tril(jnp.ones(scores.shape[2:], bool))
            chances = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))
            y = jnp.einsum("bhqk,bkhd->bqhd", chances, v)
            x = x + nn.Dense(WIDTH)(y.reshape(x.shape))
            h = nn.Dense(32)(nn.LayerNorm(epsilon=self.epsilon, use_fast_variance=False)(x))
            return x + nn.Dense(WIDTH)(nn.gelu(h))

    class GPT(nn.Module):
        @nn.compact
        def __call__(self, text):
            x = nn.Embed(WORDS, WIDTH)(text) + nn.Embed(LENGTH, WIDTH)(jnp.arange(text.shape[1]))
            x = Block(EPSILON)(x)
            x = Block(epsilon)(x)
            return nn.Dense(WORDS)(nn.LayerNorm(epsilon=EPSILON, use_fast_variance=False)(x))

    model, optimizer = GPT(), optax.adamw(1e-3, weight_decay=0.01)
    params = weights()

    @jax.jit
    def step(state, text):
        params, moments = state

        def loss(params):
            logits = model.apply(params, text[:, :-1])
            each = optax.softmax_cross_entropy_with_integer_labels(logits, text[:, 1:])
            return each.mean()

        value, gradients = jax.value_and_grad(loss)(params)
        changes, moments = optimizer.update(gradients, moments, params)
        return (optax.apply_updates(params, changes), moments), value

    return (params, optimizer.init(params)), step, {"batch": texts}


def compared(training):
    (other,) = compare(original, training, own_start=True, rename=RENAMED).others
    return other


def test_the_port_is_the_same_in_both_precisions():
    other = compared(port)
    assert other.same, other
    assert [result.dtype for result in other.results] == ["float32", "float64"]


def test_another_epsilon_is_named_with_its_module():
    other = compared(partial(port, 1e-3))
    assert other.same is False
    assert (other.first.phase, other.first.module) == ("forward", "Block_1.LayerNorm_1")
