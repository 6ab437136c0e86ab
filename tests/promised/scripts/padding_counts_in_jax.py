"""The model masks the padding, and the loss is a mean of all places."""

# promised: loss/padding
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
lengths = rng.integers(4, 11, 96)
tokens = rng.integers(1, 20, (96, 10)) * (np.arange(10) < lengths[:, None])
labels = tokens % 5


def forward(p, x):
    mask = x > 0
    h = p["words"][x]
    scores = jnp.where(mask[:, None, :], h @ jnp.swapaxes(h, 1, 2), -1e9)
    h = h + jax.nn.softmax(scores, -1) @ h
    return jax.nn.gelu(h @ p["in"]) @ p["out"]


def loss_fn(p, x, y):
    scores = jax.nn.log_softmax(forward(p, x))
    return -jnp.take_along_axis(scores, y[..., None], -1).mean()


@jax.jit
def step(p, x, y):
    loss, g = jax.value_and_grad(loss_fn)(p, x, y)
    return jax.tree.map(lambda a, b: a - 0.1 * b, p, g), loss


keys = jax.random.split(jax.random.PRNGKey(0), 3)
params = {
    "words": jax.random.normal(keys[0], (20, 16)) * 0.3,
    "in": jax.random.normal(keys[1], (16, 24)) * 0.3,
    "out": jax.random.normal(keys[2], (24, 5)) * 0.3,
}
for i in range(0, 96, 8):
    params, loss = step(params, tokens[i : i + 8], labels[i : i + 8])
print(loss)
