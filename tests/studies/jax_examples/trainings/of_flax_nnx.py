"""Trainings by the examples of Flax NNX: https://github.com/google/flax."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from tests.studies.jax_examples.data import Training, images, named, texts
from tests.studies.jax_examples.sources import taken

TOYS = "examples/nnx_toy_examples/"


def points(number: int) -> Any:
    """Return points beside a parabola."""
    random = np.random.default_rng(number)
    x = random.uniform(0, 1, (8, 1)).astype(np.float32)
    return x, (0.8 * x**2 + 0.1 + random.normal(0, 0.1, x.shape)).astype(np.float32)


def changing(its: Any, model: Any, tx: Any, wrt: Any = nnx.Param) -> Training:
    """Return a training whose step changes the model and the optimiser."""

    def step(state: Any, batch: Any) -> Any:
        return state, its.train_step(*state, batch)

    return (model, nnx.Optimizer(model, tx, wrt=wrt)), step, {"batch": points}


def convolutions() -> Training:
    """Return a convolutional network with batch normalisation, dropout and metrics.

    From examples/mnist/train.py.
    """
    its = taken("flax", "examples/mnist/train.py", numbers={32: 8, 64: 12, 3136: 48, 256: 16})
    model, rngs = its.CNN(rngs=nnx.Rngs(0)), nnx.Rngs(0)
    optimizer = nnx.Optimizer(model, optax.sgd(0.1, 0.9), wrt=nnx.Param)
    metrics = nnx.MultiMetric(accuracy=nnx.metrics.Accuracy(), loss=nnx.metrics.Average("loss"))
    model.train()

    def step(state: Any, batch: Any) -> Any:
        model, optimizer, metrics, rngs = state
        its.train_step(model, optimizer, metrics, batch, rngs)
        return state

    return (model, optimizer, metrics, rngs), step, {"batch": named(images(8, 8, 1))}


def lifted() -> Training:
    """Return a perceptron that a compiled step changes.

    From examples/nnx_toy_examples/02_lifted_transforms.py.
    """
    its = taken("flax", TOYS + "02_lifted_transforms.py")
    return changing(its, its.MLP(1, 12, 1, rngs=nnx.Rngs(0)), optax.sgd(1e-3))


def in_a_train_state() -> Training:
    """Return a perceptron in a TrainState of Linen.

    From examples/nnx_toy_examples/03_train_state.py.
    """
    its = taken("flax", TOYS + "03_train_state.py")
    graphdef, params, counts = nnx.split(its.MLP(1, 12, 1, rngs=nnx.Rngs(0)), nnx.Param, its.Count)
    tx = optax.sgd(0.1)
    rest = {"apply_fn": None, "graphdef": graphdef, "counts": counts}
    return its.TrainState.create(params=params, tx=tx, **rest), its.train_step, {"batch": points}


def autoencoder() -> Training:
    """Return a variational autoencoder that keeps its divergence in a variable.

    From examples/nnx_toy_examples/05_vae.py.
    """
    its = taken("flax", TOYS + "05_vae.py")
    model = its.VAE(64, 12, 4, (8, 8), rngs=nnx.Rngs(0, noise=1))
    state, step, _ = changing(its, model, optax.adam(1e-3))
    drawn = images(8, 8)

    def batch(number):
        return (drawn(number)[0] > 0.5).astype(np.float32)

    return state, step, {"batch": batch}


def arrays_alone() -> Training:
    """Return a perceptron whose arrays are no variables.

    From examples/nnx_toy_examples/07_array_leaves.py.
    """
    its = taken("flax", TOYS + "07_array_leaves.py")
    model = its.MLP(1, 12, 1, rngs=nnx.Rngs(0))
    return changing(its, model, optax.sgd(1e-3), its.is_param)


def translation() -> Training:
    """Return a transformer that translates padded texts, without a mask.

    From docs_nnx/examples/machine_translation.ipynb.
    """
    its = taken("flax", "docs_nnx/examples/machine_translation.ipynb")
    model = its.TransformerModel(6, 13, 12, 16, 2, 0.5, rngs=nnx.Rngs(0))
    optimizer = nnx.ModelAndOptimizer(model, optax.adamw(1.5e-3))
    source, target = texts(6, 13, padding=2), texts(7, 13, padding=3)

    def step(optimizer: Any, batch: Any) -> Any:
        return optimizer, its.train_step(optimizer.model, optimizer, batch)

    def batch(number: int) -> Any:
        spanish = target(number + 100)
        pairs = source(number), spanish[:, :-1], spanish[:, 1:]
        names = ("encoder_inputs", "decoder_inputs", "target_output")
        return dict(zip(names, map(jnp.asarray, pairs), strict=True))

    return optimizer, step, {"batch": batch}


def layers_in_a_scan() -> Training:
    """Return layers with batch normalisation and dropout, in one scan, with a step of ours.

    From examples/nnx_toy_examples/06_scan_over_layers.py.
    """
    its = taken("flax", TOYS + "06_scan_over_layers.py")
    model = its.ScanMLP(10, n_layers=3, rngs=nnx.Rngs(0))

    def step(state: Any, x: Any) -> Any:
        model, optimizer = state

        def error(model):
            return jnp.mean((model(x) - jnp.sin(x)) ** 2)

        value, gradients = nnx.value_and_grad(error)(model)
        optimizer.update(model, gradients)
        return state, value

    def batch(number: int) -> Any:
        return np.random.default_rng(number).standard_normal((6, 10)).astype(np.float32)

    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    return (model, optimizer), step, {"batch": batch}
