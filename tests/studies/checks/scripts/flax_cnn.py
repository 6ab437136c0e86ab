"""A convolutional network in Flax, trained with Optax."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training.train_state import TrainState


class CNN(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(8, (3, 3))(x))
        x = nn.avg_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(16, (3, 3))(x))
        x = nn.avg_pool(x, (2, 2), strides=(2, 2))
        return nn.Dense(10)(x.reshape(len(x), -1))


@jax.jit
def update(state: TrainState, images: jax.Array, labels: jax.Array) -> tuple[TrainState, jax.Array]:
    def loss_of(parameters: dict) -> jax.Array:
        logits = state.apply_fn({"params": parameters}, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = jax.value_and_grad(loss_of)(state.params)
    return state.apply_gradients(grads=gradients), loss


def main() -> None:
    start, data, classes = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(data, (512, 14, 14, 1))
    labels = jax.random.randint(classes, (512,), 0, 10)
    model = CNN()
    state = TrainState.create(
        apply_fn=model.apply,
        params=model.init(start, jnp.ones((1, 14, 14, 1)))["params"],
        tx=optax.adam(1e-3),
    )
    for i in range(32):
        rows = slice(16 * i, 16 * i + 16)
        state, loss = update(state, images[rows], labels[rows])
    print(f"loss {loss:.3f}")


if __name__ == "__main__":
    main()
