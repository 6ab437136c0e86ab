"""Sound JAX trainings; none may be accused. Each says how many groups of units it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Sound(NamedTuple):
    """A sound training, the groups that were counted by hand, and the library that it needs."""

    make: Callable[[], Any]
    groups: int
    library: str = "jax"


ENTRIES: dict[str, Sound] = {}


def sound(groups: int, library: str = "jax") -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a training into the zoo."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        ENTRIES[make.__name__] = Sound(make, groups, library)
        return make

    return enter


def numbers(i: Any, samples: int = 16, inputs: int = 8, classes: int = 4) -> tuple[Any, Any]:
    """Return the batch of a step: inputs and labels."""
    import jax

    key = jax.random.fold_in(jax.random.key(1), i)
    x = jax.random.normal(key, (samples, inputs))
    return x, jax.random.randint(jax.random.fold_in(key, 1), (samples,), 0, classes)


def cross_entropy(logits: Any, labels: Any) -> Any:
    import jax
    import jax.numpy as jnp

    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -chosen.mean()


def mlp(
    *,
    act: Callable[[Any], Any] | None = None,
    change: Callable[[Any], Any] = lambda gradients: gradients,
    entropy: Callable[[Any, Any], Any] = cross_entropy,
    returns_loss: bool = True,
) -> Any:
    """Return a training of two hidden layers, with momentum, in plain JAX."""
    import jax
    import jax.numpy as jnp

    act = act or jax.nn.tanh
    keys, sizes = jax.random.split(jax.random.key(0), 3), (8, 16, 12, 4)
    params = [
        {"w": jax.random.normal(key, (a, b)) / a**0.5, "b": jnp.zeros(b)}
        for key, a, b in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]

    def loss(params: Any, x: Any, y: Any) -> Any:
        for layer in params[:-1]:
            x = act(x @ layer["w"] + layer["b"])
        return entropy(x @ params[-1]["w"] + params[-1]["b"], y)

    @jax.jit
    def step(state: Any, i: Any) -> Any:
        params, speed = state
        value, gradients = jax.value_and_grad(loss)(params, *numbers(i))
        speed = jax.tree.map(lambda v, g: 0.9 * v + g, speed, change(gradients))
        state = jax.tree.map(lambda p, v: p - 0.1 * v, params, speed), speed
        return (state, value) if returns_loss else state

    return (params, jax.tree.map(jnp.zeros_like, params)), step


@sound(groups=2)
def plain_mlp() -> Any:
    return mlp()


@sound(groups=2)
def mlp_that_returns_no_loss() -> Any:
    return mlp(returns_loss=False)
