"""Trainings by the examples of JAX: https://github.com/jax-ml/jax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.example_libraries import optimizers

from tests.studies.jax_examples.data import Training, images
from tests.studies.jax_examples.sources import taken

MOMENTUM = dict(
    zip(("opt_init", "opt_update", "get_params"), optimizers.momentum(0.001, mass=0.9), strict=True)
)


def classified(*shape: int, samples: int = 6) -> Any:
    """Return batches of images with one-hot labels."""
    drawn = images(*shape, samples=samples)

    def batch(step: int) -> Any:
        pixels, labels = drawn(step)
        return pixels, np.eye(10, dtype=np.float32)[labels]

    return batch


def perceptron() -> Training:
    """Return a perceptron of stax, trained with momentum.

    From examples/mnist_classifier.py.
    """
    its = taken(
        "jax", "examples/mnist_classifier.py", also=("predict",), numbers={1024: 16}, **MOMENTUM
    )
    update = its.inner("update")
    _, params = its.init_random_params(jax.random.key(0), (-1, 64))

    def step(state: Any, batch: Any) -> Any:
        return state[0] + 1, update(*state, batch)

    return (0, its.opt_init(params)), step, {"batch": classified(64)}


def perceptron_from_scratch() -> Training:
    """Return a perceptron in plain JAX, trained by descent.

    From examples/mnist_classifier_fromscratch.py.
    """
    its = taken("jax", "examples/mnist_classifier_fromscratch.py", step_size=0.001)
    params = its.init_random_params(0.1, [64, 20, 16, 10], np.random.RandomState(0))
    return params, its.inner("update"), {"batch": classified(64)}


def autoencoder() -> Training:
    """Return a variational autoencoder of stax, each step of which is an epoch.

    From examples/mnist_vae.py.
    """
    its = taken(
        "jax",
        "examples/mnist_vae.py",
        also=("encode", "decode"),
        numbers={512: 16, 28: 8, 10: 4},
        batch_size=6,
        num_batches=2,
        **MOMENTUM,
    )
    binarize = its.inner("binarize_batch")
    run_epoch = its.inner("run_epoch", binarize_batch=binarize)
    one, other = jax.random.split(jax.random.key(2))
    params = its.encoder_init(one, (6, 64))[1], its.decoder_init(other, (6, 4))[1]
    pixels = jnp.asarray(images(64, samples=12)(0)[0])

    def step(state, epoch):
        return run_epoch(jax.random.key(epoch), state, pixels)

    return its.opt_init(params), step


def private() -> Training:
    """Return a convolutional network of stax, trained with private gradients.

    From examples/differentially_private_sgd.py.
    """

    def flag(value):
        return type("Flag", (), {"value": value})

    its = taken(
        "jax",
        "examples/differentially_private_sgd.py",
        also=("predict",),
        numbers={16: 6, 32: 8, 8: 4, 4: 3},
        _L2_NORM_CLIP=flag(1.0),
        _NOISE_MULTIPLIER=flag(1.1),
        _BATCH_SIZE=flag(4),
        **MOMENTUM,
    )
    update, key = its.inner("private_update"), jax.random.key(0)
    _, params = its.init_random_params(key, (-1, 12, 12, 1))
    drawn = classified(1, 12, 12, 1, samples=4)

    def batch(number: int) -> Any:
        pixels, labels = drawn(number)
        return pixels, labels[:, None]

    def step(state: Any, batch: Any) -> Any:
        return state[0] + 1, update(key, *state, batch)

    return (0, its.opt_init(params)), step, {"batch": batch}


def variational_inference() -> Training:
    """Return black-box variational inference of two numbers.

    From examples/advi.py.
    """
    its = taken("jax", "examples/advi.py", num_samples=40, **MOMENTUM)
    update = its.inner("update", objective=its.inner("objective"))
    start = its.opt_init((jnp.zeros(2), jnp.zeros(2)))
    return start, lambda state, number: update(number, state)


def one_sample_mapped() -> Training:
    """Return a perceptron of one sample, which vmap gives batches.

    From docs/notebooks/Neural_Network_and_Data_Loading.ipynb.
    """
    names = ("batched_predict",)
    its = taken(
        "jax", "docs/notebooks/Neural_Network_and_Data_Loading.ipynb", also=names, step_size=0.01
    )
    params = its.init_network_params([64, 20, 16, 10], jax.random.key(0))
    return params, lambda params, batch: its.update(params, *batch), {"batch": classified(64)}
