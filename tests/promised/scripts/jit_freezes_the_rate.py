"""The rate is a number of Python, which falls with each step, and jit keeps the first one."""

# promised: training/jit
# arguments: :training
import jax
import jax.numpy as jnp


def training():
    rate = [0.1]
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    params = {
        "a": jax.random.normal(keys[0], (10, 24)) * 0.3,
        "b": jax.random.normal(keys[1], (24, 3)),
    }
    x, y = jax.random.normal(keys[2], (64, 10)), jax.random.randint(keys[3], (64,), 0, 3)

    def loss_fn(p):
        scores = jax.nn.log_softmax(jnp.tanh(x @ p["a"]) @ p["b"])
        return -jnp.take_along_axis(scores, y[:, None], 1).mean()

    @jax.jit
    def update(p):
        loss, g = jax.value_and_grad(loss_fn)(p)
        return jax.tree.map(lambda a, b: a - rate[0] * b, p, g), loss

    def step(p, i):
        rate[0] = 0.1 * 0.5**i
        return update(p)

    return params, step
