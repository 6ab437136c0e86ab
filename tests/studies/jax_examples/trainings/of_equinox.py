"""Trainings by the examples of Equinox: https://github.com/patrick-kidger/equinox."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.studies.jax_examples.data import Training, images, texts
from tests.studies.jax_examples.sources import taken

KEY = jax.random.PRNGKey(5678)


def arrays(model: Any) -> Any:
    """Return the arrays of a model: what an optimiser begins from."""
    return eqx.filter(model, eqx.is_inexact_array)


def convolutions() -> Training:
    """Return a convolutional network.

    From docs/examples/mnist.ipynb.
    """
    numbers = {1728: 75, 512: 20, 64: 16}
    optim = optax.adamw(3e-4)
    its = taken("equinox", "docs/examples/mnist.ipynb", numbers=numbers)
    make_step = its.inner("train.make_step", optim=optim)
    model = its.CNN(KEY)

    def step(state: Any, batch: Any) -> Any:
        model, inner, value = make_step(*state, *batch)
        return (model, inner), value

    return (model, optim.init(arrays(model))), step, {"batch": images(1, 9, 9)}


def recurrent() -> Training:
    """Return a GRU that tells the directions of spirals.

    From docs/examples/train_rnn.ipynb.
    """
    optim = optax.adam(3e-3)
    its = taken("equinox", "docs/examples/train_rnn.ipynb")
    compute_loss = its.inner("main.compute_loss")
    make_step = its.inner("main.make_step", compute_loss=compute_loss, optim=optim)
    xs, ys = map(np.asarray, its.get_data(32, key=KEY))
    model = its.RNN(in_size=2, out_size=1, hidden_size=12, key=KEY)

    def step(state: Any, batch: Any) -> Any:
        value, model, inner = make_step(state[0], *batch, state[1])
        return (model, inner), value

    def batch(number: int) -> Any:
        chosen = np.random.default_rng(number).permutation(32)[:6]
        return xs[chosen], ys[chosen]

    return (model, optim.init(arrays(model))), step, {"batch": batch}


def last_layer_alone() -> Training:
    """Return a perceptron of which the last layer alone is trained.

    From docs/examples/frozen_layer.ipynb.
    """
    model, optim = eqx.nn.MLP(1, 1, 8, 1, key=KEY), optax.sgd(3e-3)

    def last(tree):
        return (tree.layers[-1].weight, tree.layers[-1].bias)

    spec = eqx.tree_at(last, jax.tree.map(lambda _: False, model), (True, True))
    its = taken("equinox", "docs/examples/frozen_layer.ipynb")
    make_step = its.inner("main.make_step", filter_spec=spec, optim=optim)

    def batch(number: int) -> Any:
        x = np.random.default_rng(number).standard_normal((8, 1)).astype(np.float32)
        return x, 5 * x - 2

    def step(state, batch):
        return make_step(state[0], *batch, state[1])

    return (model, optim.init(arrays(model))), step, {"batch": batch}


def stateful() -> Training:
    """Return a model with batch and spectral normalisation, whose state stands beside it.

    From docs/examples/stateful.ipynb.
    """
    optim = optax.adam(5e-3)
    its = taken("equinox", "docs/examples/stateful.ipynb", numbers={32: 12}, optim=optim)
    model, state = eqx.nn.make_with_state(its.Model)(KEY)

    def batch(number: int) -> Any:
        xs = np.random.default_rng(number).standard_normal((8, 3)).astype(np.float32)
        return xs, np.flip(xs, axis=1).copy()

    def step(state, batch):
        return its.make_step(*state, *batch)

    return (model, state, optim.init(arrays(model))), step, {"batch": batch}


def vision_transformer() -> Training:
    """Return a vision transformer with dropout.

    From docs/examples/vision_transformer.ipynb.
    """
    its = taken("equinox", "docs/examples/vision_transformer.ipynb", channels=3)
    model = its.VisionTransformer(12, 16, 2, 2, 0.1, 4, 4, 10, KEY)
    optim = optax.adamw(1e-4)

    def step(state: Any, batch: Any) -> Any:
        model, inner, key = state
        key, mine = jax.random.split(key)
        mine = jax.random.split(mine, 4)
        model, inner, value = its.step_model(model, optim, inner, *batch, mine)
        return (model, inner, key), value

    state = model, optim.init(arrays(model)), jax.random.PRNGKey(1)
    return state, step, {"batch": images(3, 8, 8, samples=4)}


def diffusion() -> Training:
    """Return a score-based diffusion model whose network is an MLP-mixer.

    From docs/examples/score_based_diffusion.ipynb.
    """
    its = taken("equinox", "docs/examples/score_based_diffusion.ipynb")
    model, opt = its.Mixer2d((1, 8, 8), 4, 8, 12, 10, 2, 10.0, key=KEY), optax.adabelief(3e-4)

    def step(state: Any, data: Any) -> Any:
        model, key, inner = state
        value, model, key, inner = its.make_step(
            model, lambda t: 1 - jnp.exp(-t), lambda t: t, data, 10.0, key, inner, opt.update
        )
        return (model, key, inner), value

    drawn = images(1, 8, 8, samples=4)
    state = model, jax.random.PRNGKey(1), opt.init(arrays(model))
    return state, step, {"batch": lambda number: drawn(number)[0] * 2 - 1}


def bert() -> Training:
    """Return a small BERT with padded texts and dropout, mapped over the devices.

    From docs/examples/bert.ipynb.
    """
    config = {
        "vocab_size": 13,
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 8,
        "type_vocab_size": 2,
    }
    its = taken("equinox", "docs/examples/bert.ipynb")
    model = its.BertClassifier(config=config, num_classes=2, key=KEY)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-5))

    def step(state: Any, inputs: Any) -> Any:
        devices = jax.tree.map(lambda array: array[None], inputs)
        static, given = eqx.partition(state, lambda leaf: not eqx.is_array(leaf))

        def alone(given: Any, inputs: Any) -> Any:
            model, inner, key = eqx.combine(static, given)
            value, *state = its.make_step(model, inputs, inner, key, tx)
            return eqx.filter((state, value), eqx.is_array)

        after, value = jax.vmap(alone, (None, 0), axis_name="devices")(given, devices)
        after = jax.tree.map(lambda array: array[0], after)
        return tuple(eqx.combine(after, list(static))), value[0]

    tokens = texts(7, 13, padding=3)

    def batch(number: int) -> Any:
        given = tokens(number)
        label = np.random.default_rng(number).integers(0, 2, len(given)).astype(np.int32)
        return {"token_ids": given, "segment_ids": given % 2, "label": label}

    return (model, tx.init(arrays(model)), jax.random.PRNGKey(1)), step, {"batch": batch}


def adversaries() -> Training:
    """Return a generator and a discriminator of convolutions with batch normalisation.

    From docs/examples/deep_convolutional_gan.ipynb.
    """
    numbers = {64: 4}
    its = taken(
        "equinox",
        "docs/examples/deep_convolutional_gan.ipynb",
        numbers=numbers,
        batch_size=4,
        latent_size=6,
    )
    size = (4, 4, 1)  # the width is that of the channels
    generator, its_state = eqx.nn.make_with_state(its.Generator)(6, size, KEY)
    discriminator, other_state = eqx.nn.make_with_state(its.Discriminator)(size, KEY)
    adam = optax.adam(2e-4, b1=0.5)

    def step(state: Any, pixels: Any) -> Any:
        models, inner, states, key = state
        first = its.step_discriminator(
            models[1], models[0], pixels, adam, inner[1], states[0], states[1], key
        )
        loss, discriminator, other, *states, key = first
        second = its.step_generator(
            models[0], discriminator, adam, inner[0], states[1], states[0], key
        )
        other_loss, generator, mine, *turned, key = second
        state = (generator, discriminator), (mine, other), tuple(turned[::-1]), key
        return state, (loss, other_loss)

    drawn = images(1, 64, 64, samples=4)
    state = (
        (generator, discriminator),
        (adam.init(arrays(generator)), adam.init(arrays(discriminator))),
        (its_state, other_state),
        KEY,
    )
    return state, step, {"batch": lambda number: drawn(number)[0] * 2 - 1}
