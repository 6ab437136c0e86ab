"""A small GPT in plain JAX, trained with Optax."""

import jax
import jax.numpy as jnp
import optax

TOKENS, CONTEXT, WIDTH, HEADS, LAYERS = 32, 16, 32, 4, 2
OPTIMIZER = optax.adamw(1e-3)


def norm(x: jax.Array) -> jax.Array:
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)


def attend(layer: dict, x: jax.Array) -> jax.Array:
    rows, length, width = x.shape
    q, k, v = (
        (x @ layer[name]).reshape(rows, length, HEADS, width // HEADS) for name in ("q", "k", "v")
    )
    scores = jnp.einsum("rihd,rjhd->rhij", q, k) / (width // HEADS) ** 0.5
    causal = jnp.tril(jnp.ones((length, length), bool))
    weights = jax.nn.softmax(jnp.where(causal, scores, -1e9))
    return jnp.einsum("rhij,rjhd->rihd", weights, v).reshape(x.shape) @ layer["project"]


def apply(parameters: dict, tokens: jax.Array) -> jax.Array:
    x = parameters["tokens"][tokens] + parameters["positions"]
    for layer in parameters["layers"]:
        x = x + attend(layer, norm(x))
        x = x + jax.nn.gelu(norm(x) @ layer["up"]) @ layer["down"]
    return norm(x) @ parameters["head"]


def loss_of(parameters: dict, rows: jax.Array) -> jax.Array:
    logits = apply(parameters, rows[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, rows[:, 1:]).mean()


@jax.jit
def update(parameters: dict, state: tuple, rows: jax.Array) -> tuple[dict, tuple, jax.Array]:
    loss, gradients = jax.value_and_grad(loss_of)(parameters, rows)
    updates, state = OPTIMIZER.update(gradients, state, parameters)
    return optax.apply_updates(parameters, updates), state, loss


def initial(key: jax.Array) -> dict:
    keys = iter(jax.random.split(key, 64))

    def weight(*shape: int) -> jax.Array:
        return 0.1 * jax.random.normal(next(keys), shape)

    layer_shapes = dict.fromkeys(("q", "k", "v", "project"), (WIDTH, WIDTH))
    layer_shapes |= {"up": (WIDTH, 4 * WIDTH), "down": (4 * WIDTH, WIDTH)}
    return {
        "tokens": weight(TOKENS, WIDTH),
        "positions": weight(CONTEXT, WIDTH),
        "layers": [{n: weight(*s) for n, s in layer_shapes.items()} for _ in range(LAYERS)],
        "head": weight(WIDTH, TOKENS),
    }


def main() -> None:
    start, data = jax.random.split(jax.random.key(0))
    parameters = initial(start)
    state = OPTIMIZER.init(parameters)
    rows = jax.random.randint(data, (256, CONTEXT + 1), 0, TOKENS)
    for i in range(32):
        parameters, state, loss = update(parameters, state, rows[8 * i : 8 * i + 8])
    print(f"loss {loss:.3f}")


if __name__ == "__main__":
    main()
