"""The warm-up reads a counter of the trainer inside of the jitted method."""

# promised: training/jit
# arguments: :training
from functools import partial

import jax
import jax.numpy as jnp


class Trainer:
    count = 0

    def __init__(self):
        keys = jax.random.split(jax.random.PRNGKey(0), 2)
        self.x, self.y = jax.random.normal(keys[0], (32, 8)), jax.random.normal(keys[1], (32, 1))

    def loss(self, p):
        return jnp.mean((jnp.tanh(self.x @ p["a"]) @ p["b"] - self.y) ** 2)

    @partial(jax.jit, static_argnums=0)
    def update(self, p):
        loss, g = jax.value_and_grad(self.loss)(p)
        rate = 0.05 * min(1.0, (self.count + 1) / 10)
        return jax.tree.map(lambda a, b: a - rate * b, p, g), loss

    def step(self, p, i):
        self.count = i
        return self.update(p)


def training():
    keys = jax.random.split(jax.random.PRNGKey(1), 2)
    params = {
        "a": jax.random.normal(keys[0], (8, 16)) * 0.3,
        "b": jax.random.normal(keys[1], (16, 1)),
    }
    return params, Trainer().step
