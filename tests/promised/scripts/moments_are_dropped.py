"""The new state of the optimiser is dropped: Adam begins anew in each step."""

# promised: training/same-noise or training/handed-on or loop/batches
import jax
import jax.numpy as jnp
import optax

keys = jax.random.split(jax.random.PRNGKey(0), 4)
params = {
    "a": jax.random.normal(keys[0], (10, 24)) * 0.3,
    "b": jax.random.normal(keys[1], (24, 1)) * 0.3,
}
x, y = jax.random.normal(keys[2], (160, 10)), jax.random.normal(keys[3], (160, 1))
optimizer = optax.adam(1e-2)
opt_state = optimizer.init(params)


@jax.jit
def step(p, s, x, y):
    loss, g = jax.value_and_grad(lambda p: jnp.mean((jnp.tanh(x @ p["a"]) @ p["b"] - y) ** 2))(p)
    updates, _ = optimizer.update(g, s, p)
    return optax.apply_updates(p, updates), loss


for epoch in range(3):
    for i in range(0, 160, 16):
        params, loss = step(params, opt_state, x[i : i + 16], y[i : i + 16])
    print(epoch, loss)
