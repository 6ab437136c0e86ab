"""A classifier of two layers in plain JAX."""

import jax
import jax.numpy as jnp


def loss_of(parameters: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    hidden = jax.nn.relu(x @ parameters["w1"] + parameters["b1"])
    logits = hidden @ parameters["w2"] + parameters["b2"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


@jax.jit
def update(
    parameters: dict[str, jax.Array], x: jax.Array, y: jax.Array
) -> tuple[dict[str, jax.Array], jax.Array]:
    loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
    return jax.tree.map(lambda p, g: p - 0.1 * g, parameters, gradients), loss


def main() -> None:
    first, second, images, classes = jax.random.split(jax.random.key(0), 4)
    parameters = {
        "w1": 0.1 * jax.random.normal(first, (64, 32)),
        "b1": jnp.zeros(32),
        "w2": 0.1 * jax.random.normal(second, (32, 10)),
        "b2": jnp.zeros(10),
    }
    x, y = jax.random.normal(images, (1024, 64)), jax.random.randint(classes, (1024,), 0, 10)
    for i in range(64):
        rows = slice(16 * i, 16 * i + 16)
        parameters, loss = update(parameters, x[rows], y[rows])
    print(f"loss {loss:.3f}")


if __name__ == "__main__":
    main()
