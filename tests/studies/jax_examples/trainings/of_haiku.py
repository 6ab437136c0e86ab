"""Trainings by the examples of Haiku: https://github.com/google-deepmind/dm-haiku."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.studies.jax_examples.data import Training, images, texts
from tests.studies.jax_examples.sources import taken

KEY = jax.random.PRNGKey(42)


def pixels(*shape: int) -> Any:
    """Return batches of images with pixels from 0 to 255."""
    drawn = images(*shape)

    def batch(number: int) -> Any:
        image, label = drawn(number)
        return (image * 255).astype(np.uint8), label

    return batch


def perceptron() -> Training:
    """Return a perceptron with a penalty and an average of its parameters.

    From examples/mnist.py.
    """
    optimiser = optax.adam(1e-3)
    its = taken("haiku", "examples/mnist.py", numbers={300: 16, 100: 12}, NUM_CLASSES=10)
    network = hk.without_apply_rng(hk.transform(its.net_fn))
    loss = its.inner("main.loss", network=network)
    update = its.inner("main.update", optimiser=optimiser, loss=loss)
    params, drawn = network.init(KEY, jnp.ones((1, 8, 8, 1))), pixels(8, 8, 1)
    state = its.TrainingState(params, params, optimiser.init(params))
    return state, update, {"batch": lambda number: its.Batch(*drawn(number))}


def pruned() -> Training:
    """Return a perceptron whose smallest weights are masked more and more.

    From examples/mnist_pruning.py.
    """
    opt = optax.adam(1e-3)
    its = taken("haiku", "examples/mnist_pruning.py", numbers={300: 16, 100: 12})
    net = hk.without_apply_rng(hk.transform(its.net_fn))
    loss = its.inner("main.loss", net=net)
    updates = its.inner("main.get_updates", loss=loss, opt=opt)
    match = its.inner("main.module_matching")
    sparsity = (match("linear"), 0.9), (match("linear_1"), 0.5)
    params, drawn = net.init(KEY, {"image": jnp.ones((1, 8, 8, 1))}), pixels(8, 8, 1)

    def step(state: Any, batch: Any) -> Any:
        params, masks, inner = state
        changes, inner = updates(its.apply_mask(params, masks, sparsity), inner, batch)
        changes = its.apply_mask(changes, masks, sparsity)
        params = optax.apply_updates(params, changes)
        return params, its.update_mask(params, 0.5, sparsity), inner

    state = params, its.update_mask(params, 0.0, sparsity), opt.init(params)
    return state, step, {"batch": lambda i: dict(zip(("image", "label"), drawn(i), strict=True))}


def autoencoder() -> Training:
    """Return a variational autoencoder of binary images.

    From examples/vae.py.
    """
    optimizer = optax.adam(1e-3)
    its = taken("haiku", "examples/vae.py", numbers={512: 16, 10: 4})
    model = its.inner("main.model")
    loss = its.inner("main.loss_fn", model=model)
    update = its.inner("main.update", optimizer=optimizer, loss_fn=loss)
    params, drawn = model.init(KEY, jnp.ones((1, 8, 8, 1))), images(8, 8, 1)
    state = its.TrainingState(params, optimizer.init(params), KEY)
    return state, update, {"batch": lambda number: its.Batch(drawn(number)[0] > 0.5)}


def characters() -> Training:
    """Return two LSTMs that predict characters.

    From examples/rnn/train.py.
    """
    flags = {
        name: SimpleNamespace(value=value)
        for name, value in (("HIDDEN_SIZE", 12), ("LEARNING_RATE", 1e-3))
    }
    its = taken("haiku", "examples/rnn/train.py", dataset=SimpleNamespace(NUM_CHARS=11), **flags)
    tokens = texts(7, 11)

    def batch(number: int) -> Any:
        given = tokens(number).T
        return {"input": given[:-1], "target": given[1:]}

    init, _ = hk.without_apply_rng(hk.transform(its.sequence_loss))
    params = init(KEY, batch(0))
    state = its.TrainingState(params, its.make_optimizer().init(params))
    return state, its.update, {"batch": batch, "batch_axis": 1}


def transformer() -> Training:
    """Return a language model of padded texts with dropout.

    From examples/transformer/train.py.
    """
    sizes = {
        "NUM_LAYERS": 1,
        "NUM_HEADS": 2,
        "MODEL_SIZE": 12,
        "KEY_SIZE": 6,
        "DROPOUT_RATE": 0.1,
        "LEARNING_RATE": 3e-4,
        "GRAD_CLIP_VALUE": 1,
    }
    model = taken("haiku", "examples/transformer/model.py")
    dataset = SimpleNamespace(VOCAB_SIZE=13, PAD_TOKEN=0, Batch=Any)
    its = taken("haiku", "examples/transformer/train.py", model=model, dataset=dataset, **sizes)
    kind, tokens = taken("haiku", "examples/transformer/dataset.py").Batch, texts(7, 13, padding=3)

    def batch(number: int) -> Any:
        given = tokens(number)
        return kind(given[:, :-1], given[:, 1:])

    return its.init(KEY, batch(0)), its.update, {"batch": batch}


def quantised() -> Training:
    """Return an autoencoder whose codes are the nearest of a book of averages.

    From examples/vqvae_example.ipynb.
    """
    given = {
        "num_hiddens": 8,
        "num_residual_layers": 1,
        "num_residual_hiddens": 6,
        "embedding_dim": 6,
        "num_embeddings": 10,
        "commitment_cost": 0.25,
        "vq_use_ema": True,
        "decay": 0.99,
        "train_data_variance": 0.1,
    }
    path, optimizer = "examples/vqvae_example.ipynb", optax.adam(3e-4)
    forward = hk.transform_with_state(taken("haiku", path, **given).forward)
    its = taken("haiku", path, optimizer=optimizer, forward=forward)
    drawn = images(8, 8, 3, samples=4)

    def batch(number):
        return {"image": drawn(number)[0] - 0.5}

    params, state = forward.init(KEY, batch(0), is_training=True)

    def step(state: Any, batch: Any) -> Any:
        *state, results = its.train_step(*state, batch)
        return tuple(state), results["loss"]

    return (params, state, optimizer.init(params)), step, {"batch": batch}


def adversaries() -> Training:
    """Return a generator and a discriminator of convolutions.

    From examples/mnist_gan.ipynb.
    """
    numbers = {7: 2, 64: 8, 32: 6, 128: 6, 16: 6, 8: 4}
    its = taken("haiku", "examples/mnist_gan.ipynb", numbers=numbers)
    gan, drawn = its.GAN(num_latents=5), images(8, 8, 1, samples=4)

    def batch(number):
        return drawn(number)[0] * 2 - 1

    def step(state: Any, batch: Any) -> Any:
        key, inner, log = gan.update(*state, batch)
        return (key, inner), log

    return (KEY, gan.initial_state(KEY, batch(0))), step, {"batch": batch}


def sines() -> Training:
    """Return an LSTM that predicts sines.

    From examples/haiku_lstms.ipynb.
    """
    opt = optax.adam(1e-3)
    model = hk.transform(taken("haiku", "examples/haiku_lstms.ipynb", numbers={32: 12}).unroll_net)
    its = taken("haiku", "examples/haiku_lstms.ipynb", model=model)
    loss = its.inner("train_model.loss")
    update = its.inner("train_model.update", loss=loss, opt=opt)

    def batch(number: int) -> Any:
        phases = np.random.default_rng(number).uniform(0, 6, 5)
        x, y = its.sine_seq(phases, 8, 6)
        return x[..., None].astype(np.float32), y[..., None].astype(np.float32)

    def step(state: Any, batch: Any) -> Any:
        value, *state = update(0, *state, *batch)
        return tuple(state), value

    params = model.init(KEY, batch(0)[0])
    return (params, opt.init(params)), step, {"batch": batch, "batch_axis": 1}


def partly_trained() -> Training:
    """Return a perceptron of which one layer is not trained.

    From docs/notebooks/non_trainable.ipynb.
    """
    mlp = taken(
        "haiku", "docs/notebooks/non_trainable.ipynb", numbers={300: 16, 100: 12}, num_classes=10
    )
    f = hk.transform(mlp.f)
    its = taken("haiku", "docs/notebooks/non_trainable.ipynb", f=f)
    parts = hk.data_structures.partition(
        lambda module, *_: module != "mlp/~/linear_1", f.init(KEY, np.zeros((10, 1)))
    )

    def step(state: Any, batch: Any) -> Any:
        return its.train_step(*state, *batch), state[1]

    def batch(number: int) -> Any:
        y = np.random.default_rng(number).permutation(10)[:6]
        return y.reshape(-1, 1).astype(np.float32), y.astype(np.int32)

    return tuple(parts), step, {"batch": batch}
