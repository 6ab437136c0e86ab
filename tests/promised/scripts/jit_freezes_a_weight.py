"""The weight of a penalty grows with each step; the jitted closure keeps its first value."""

# promised: training/jit
# arguments: :training
import jax
import jax.numpy as jnp


def training():
    weights = {"beta": 0.1}
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    params = {
        "a": jax.random.normal(keys[0], (12, 6)) * 0.3,
        "b": jax.random.normal(keys[1], (6, 12)),
    }
    x = jax.random.normal(keys[2], (32, 12))

    def loss_fn(p):
        code = x @ p["a"]
        penalty = weights["beta"] * jnp.mean(code**2)
        return jnp.mean((jnp.tanh(code) @ p["b"] - x) ** 2) + penalty

    update = jax.jit(lambda p: jax.tree.map(lambda a, b: a - 0.05 * b, p, jax.grad(loss_fn)(p)))

    def step(p, i):
        weights["beta"] = 0.1 * (i + 1)
        return update(p)

    return params, step
