"""Sound JAX trainings; none may be accused. Each says how many groups of units it has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple


class Sound(NamedTuple):
    """A sound training, the groups that were counted by hand, and the library that it needs."""

    make: Callable[[], Any]
    groups: int
    library: str = "jax"
    nearly: str = ""  # the invariant that it nearly violates


ENTRIES: dict[str, Sound] = {}


def sound(
    groups: int, library: str = "jax", *, nearly: str = ""
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a training into the zoo."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        ENTRIES[make.__name__] = Sound(make, groups, library, nearly)
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
    drop: Callable[[Any, Any], Any] = lambda x, _: x,
    change: Callable[[Any], Any] = lambda gradients: gradients,
    entropy: Callable[[Any, Any], Any] = cross_entropy,
    returns_loss: bool = True,
) -> Any:
    """Return a training of two hidden layers, with momentum, in plain JAX.

    ``drop`` is given the outputs of a layer, and the number of the step.
    """
    import jax
    import jax.numpy as jnp

    act = act or jax.nn.tanh
    keys, sizes = jax.random.split(jax.random.key(0), 3), (8, 16, 12, 4)
    params = [
        {"w": jax.random.normal(key, (a, b)) / a**0.5, "b": jnp.zeros(b)}
        for key, a, b in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]

    def loss(params: Any, i: Any) -> Any:
        x, y = numbers(i)
        for layer in params[:-1]:
            x = drop(act(x @ layer["w"] + layer["b"]), i)
        return entropy(x @ params[-1]["w"] + params[-1]["b"], y)

    @jax.jit
    def step(state: Any, i: Any) -> Any:
        params, speed = state
        value, gradients = jax.value_and_grad(loss)(params, i)
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


@sound(groups=2)
def straight_through() -> Any:
    """Return a training with a custom derivative that is none on purpose, and one that is one."""
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def rounded(x: Any) -> Any:
        return jnp.round(x * 8) / 8

    rounded.defvjp(lambda x: (rounded(x), None), lambda _, g: (g,))

    @jax.custom_vjp
    def swish(x: Any) -> Any:
        return x * jax.nn.sigmoid(x)

    def backward(x: Any, g: Any) -> Any:
        s = jax.nn.sigmoid(x)
        return (g * (s + x * s * (1 - s)),)

    swish.defvjp(lambda x: (swish(x), x), backward)
    return mlp(act=lambda x: rounded(swish(x)) + swish(x))


@sound(groups=2)
def dropout() -> Any:
    import jax

    def drop(x: Any, i: Any) -> Any:
        key = jax.random.fold_in(jax.random.key(2), i)
        return jax.numpy.where(jax.random.bernoulli(key, 0.8, x.shape), x / 0.8, 0)

    return mlp(act=jax.nn.relu, drop=drop)


@sound(groups=2, nearly="training/jit")
def gradients_through_a_fixed_mask() -> Any:
    """Return a lottery ticket: its mask is drawn once, and only the update reads it."""
    import jax
    import numpy as np

    random, masks = np.random.default_rng(0), dict[tuple[int, ...], Any]()

    def masked(gradient: Any) -> Any:
        shape = gradient.shape
        mask = masks.setdefault(shape, random.integers(0, 2, shape).astype(np.float32))
        return gradient * mask

    return mlp(change=lambda gradients: jax.tree.map(masked, gradients))


def updated(optimizer: Any, gradients: Any, moments: Any, params: Any) -> Any:
    """Return the updates of an optimiser, and its next state."""
    return optimizer.update(gradients, moments, params)


def folded(key: Any, number: Any) -> Any:
    """Return the key of a step."""
    import jax

    return jax.random.fold_in(key, number)


def classifier(
    *,
    update: Callable[..., Any] = updated,
    key: Callable[[Any, Any], Any] = folded,
    pull: float = 0.0,
) -> Any:
    """Return a training with batches, and dropout by a key that is a part of the state.

    ``update`` is given the optimiser, the gradients, the moments and the parameters; ``key`` the
    key of the state, and the number of the step. After each update the parameters are pulled
    towards their start.
    """
    import jax
    import jax.numpy as jnp
    import optax

    optimizer = optax.adam(1e-2)
    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        "first": jax.random.normal(keys[0], (8, 6)),
        "last": jax.random.normal(keys[1], (6, 4)),
    }

    def step(state: Any, given: Any) -> Any:
        params, moments, start, dropout = state

        def loss_of(params: Any) -> Any:
            hidden = jnp.tanh(given["x"] @ params["first"])
            kept = jax.random.bernoulli(key(dropout, given["number"]), 0.8, hidden.shape)
            return cross_entropy(jnp.where(kept, hidden / 0.8, 0) @ params["last"], given["y"])

        loss, gradients = jax.value_and_grad(loss_of)(params)
        updates, moments = update(optimizer, gradients, moments, params)
        params = optax.apply_updates(params, updates)
        params = jax.tree.map(lambda p, s: (1 - pull) * p + pull * s, params, start)
        return (params, moments, start, dropout), loss

    def batch(i: int) -> Any:
        x, y = numbers(i)
        return {"x": x, "y": y, "number": i}

    return (params, optimizer.init(params), params, keys[2]), step, {"batch": batch}


@sound(groups=1, library="optax", nearly="training/same-noise")
def one_key_folded_with_the_number() -> Any:
    return classifier()


@sound(groups=1, library="optax", nearly="training/handed-on")
def weights_pulled_towards_their_start() -> Any:
    return classifier(pull=0.9)


def tanh_layer(batch: Callable[[Any], Any]) -> Any:
    """Return a training of one hidden layer without labels, that is not compiled."""
    import jax
    import jax.numpy as jnp

    params = {
        "a": jax.random.normal(jax.random.key(0), (8, 6)),
        "b": jax.random.normal(jax.random.key(1), (6,)),
    }

    def step(params: Any, i: Any) -> Any:
        def loss(params: Any) -> Any:
            return ((jnp.tanh(batch(i) @ params["a"]) @ params["b"]) ** 2).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return params, step


def batches() -> Any:
    import numpy as np

    return np.random.default_rng(0).standard_normal((4, 16, 8)).astype(np.float32)


@sound(groups=1)
def arrays_of_numpy_by_index() -> Any:
    return tanh_layer(batches().__getitem__)


@sound(groups=1)
def an_iterator_of_batches() -> Any:
    iterator = itertools.cycle(batches())
    return tanh_layer(lambda _: next(iterator))


@sound(groups=1)
def noise_by_numpy_on_inputs() -> Any:
    import numpy as np

    x = batches()[0]
    return tanh_layer(lambda _: x + np.random.standard_normal(x.shape).astype(np.float32))


@sound(groups=1)
def given_batches() -> Any:
    """Return a training whose samples are put in another order."""
    import jax
    import jax.numpy as jnp

    params, _ = tanh_layer(lambda _: 0)

    @jax.jit
    def step(params: Any, x: Any) -> Any:
        def loss(params: Any) -> Any:
            return ((jnp.tanh(x @ params["a"]) @ params["b"]) ** 2).mean()

        return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))

    return params, step, {"batch": lambda i: batches()[i]}


def classified(
    weigh: Callable[[Any], Any], batch: Callable[[int], Any] = numbers, held_out: int = 0
) -> Any:
    """Return a training on batches; ``weigh`` makes the loss of the negative log-likelihoods.

    The last rows of a batch may be held out: the step returns their accuracy.
    """
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0))
    params = {"a": jax.random.normal(keys[0], (8, 6)), "b": jax.random.normal(keys[1], (6, 4))}

    def scores(params: Any, x: Any) -> Any:
        return jnp.tanh(x @ params["a"]) @ params["b"]

    @jax.jit
    def step(params: Any, given: Any) -> Any:
        x, y = given
        rows = len(y) - held_out

        def loss(params: Any) -> Any:
            found = jax.nn.log_softmax(scores(params, x[:rows]))
            return weigh(-jnp.take_along_axis(found, y[:rows, None], 1)[:, 0])

        value, gradients = jax.value_and_grad(loss)(params)
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients)
        if not held_out:
            return params, value
        return params, (value, (scores(params, x[rows:]).argmax(-1) == y[rows:]).sum())

    return params, step, {"batch": batch}


@sound(groups=1, nearly="symmetry/samples")
def rows_that_are_held_out() -> Any:
    return classified(lambda losses: losses.mean(), held_out=3)


@sound(groups=1, nearly="symmetry/samples")
def the_hardest_samples() -> Any:
    return classified(lambda losses: losses.sort()[4:].mean())


@sound(groups=3, library="flax")
def convolutions_with_batch_norm() -> Any:
    import flax.linen as nn
    import jax

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for channels in (4, 6):
                x = nn.Conv(channels, (3, 3))(x)
                x = nn.relu(nn.BatchNorm(use_running_average=False)(x))
                x = nn.avg_pool(x, (2, 2), (2, 2))
            return nn.Dense(4)(nn.relu(nn.Dense(8)(x.reshape(x.shape[0], -1))))

    net = Net()
    state = net.init(jax.random.key(0), jax.numpy.ones((1, 8, 8, 3)))

    @jax.jit
    def step(state: Any, i: Any) -> Any:
        x, y = numbers(i, samples=6, inputs=192)

        def loss(params: Any) -> Any:
            given = {"params": params, "batch_stats": state["batch_stats"]}
            out, new = net.apply(given, x.reshape(6, 8, 8, 3), mutable=["batch_stats"])
            return cross_entropy(out, y), new["batch_stats"]

        (value, stats), gradients = jax.value_and_grad(loss, has_aux=True)(state["params"])
        params = jax.tree.map(lambda p, g: p - 0.1 * g, state["params"], gradients)
        return {"params": params, "batch_stats": stats}, {"loss": value}

    return state, step


@sound(groups=1, library="equinox")
def recurrent_cell_of_equinox() -> Any:
    import equinox
    import jax
    import jax.numpy as jnp

    one, other = jax.random.split(jax.random.key(0))
    model = equinox.nn.LSTMCell(8, 10, key=one), equinox.nn.Linear(10, 4, key=other)

    @equinox.filter_jit
    def step(model: Any, i: Any) -> Any:
        x, y = numbers(i, samples=6, inputs=40)

        def loss(model: Any) -> Any:
            def last(x: Any) -> Any:
                start = jnp.zeros(10), jnp.zeros(10)
                (h, _), _ = jax.lax.scan(lambda c, x: (model[0](x, c), None), start, x)
                return model[1](h)

            return cross_entropy(jax.vmap(last)(x.reshape(6, 5, 8)), y)

        value, gradients = equinox.filter_value_and_grad(loss)(model)
        changes = jax.tree.map(lambda g: -0.1 * g, gradients)
        return equinox.apply_updates(model, changes), value

    return model, step
