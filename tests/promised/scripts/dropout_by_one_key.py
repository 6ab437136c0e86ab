"""The key of dropout never changes."""

# promised: training/same-noise or training/handed-on or loop/batches
import jax
import jax.numpy as jnp

key = jax.random.PRNGKey(0)
keys = jax.random.split(key, 4)
params = {
    "a": jax.random.normal(keys[0], (10, 24)) * 0.3,
    "b": jax.random.normal(keys[1], (24, 3)) * 0.3,
}
x, y = jax.random.normal(keys[2], (160, 10)), jax.random.randint(keys[3], (160,), 0, 3)


def loss_fn(p, x, y, key):
    h = jnp.tanh(x @ p["a"])
    h = jnp.where(jax.random.bernoulli(key, 0.8, h.shape), h / 0.8, 0.0)
    scores = jax.nn.log_softmax(h @ p["b"])
    return -jnp.take_along_axis(scores, y[:, None], 1).mean()


@jax.jit
def step(p, x, y, key):
    loss, g = jax.value_and_grad(loss_fn)(p, x, y, key)
    return jax.tree.map(lambda a, b: a - 0.1 * b, p, g), loss


for epoch in range(3):
    for i in range(0, 160, 16):
        params, loss = step(params, x[i : i + 16], y[i : i + 16], key)
    print(epoch, loss)
