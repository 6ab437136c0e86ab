"""Trainings by the examples of Flax Linen: https://github.com/google/flax."""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import optax
from flax import jax_utils
from flax import linen as nn
from flax.training import train_state

from tests.studies.jax_examples.data import Training, images, named, texts
from tests.studies.jax_examples.sources import taken

KEY = jax.random.key(0)
SMALLER = {64: 12, 32: 8, 256: 16}  # for images of 8 x 8 pixels


def begun(model: Any, params: Any, tx: Any) -> Any:
    """Return the state before the first step."""
    return train_state.TrainState.create(apply_fn=model.apply, params=params, tx=tx)


def autoencoder() -> Training:
    """Return a variational autoencoder.

    From examples/vae/train.py.
    """
    models = taken("flax", "examples/vae/models.py", numbers={500: 16, 784: 64})
    its = taken("flax", "examples/vae/train.py", models=models)
    model = models.model(4)
    params = model.init(KEY, jnp.ones((6, 64)), KEY)["params"]

    def step(state: Any, batch: Any) -> Any:
        key, mine = jax.random.split(state[1])
        binary = (batch[0] > 0.5).astype(jnp.float32)
        return its.train_step(state[0], binary, mine, 4), key

    return (begun(model, params, optax.adam(1e-3)), KEY), step, {"batch": images(64)}


def additions() -> Training:
    """Return an encoder and a decoder of LSTMs that add numbers.

    From examples/seq2seq/train.py.
    """
    folder = "examples/seq2seq/"
    its = taken("flax", *(folder + f"{name}.py" for name in ("models", "input_pipeline", "train")))
    table = its.CharacterTable("0123456789+= ", 3)
    model = its.Seq2seq(False, 12, table.vocab_size, table.eos_id)
    given = map(jnp.ones, (table.encoder_input_shape, table.decoder_input_shape))
    params = model.init({"params": KEY, "lstm": KEY}, *given)["params"]

    def batch(number: int) -> Any:
        random.seed(number)
        return table.get_batch(4)

    def step(state, batch):
        return its.train_step(state, batch, KEY, table.eos_id)

    return begun(model, params, optax.adam(0.003)), step, {"batch": batch}


def sentiments() -> Training:
    """Return a classifier of padded texts by two LSTMs and attention, with dropout of words.

    From examples/sst2/train.py.
    """
    its = taken("flax", "examples/sst2/models.py", "examples/sst2/train.py", also=("TrainState",))
    config = SimpleNamespace(learning_rate=0.1, momentum=0.9, weight_decay=3e-6)
    model = its.TextClassifier(10, 12, 13, 1, 0.5, 0.1)
    state, drawn = its.create_train_state(KEY, config, model), texts(6, 13, padding=3)

    def batch(number: int) -> Any:
        tokens = drawn(number)
        label = np.random.default_rng(number).integers(0, 2, len(tokens)).astype(np.float32)
        return {"token_ids": tokens, "length": (tokens > 0).sum(1), "label": label}

    def step(state, batch):
        return its.train_step(state, batch, {"dropout": KEY})

    return state, step, {"batch": batch}


def residual(block: str, mapping: Any) -> Training:
    """Return a training of a ResNet that is mapped over one device."""
    rate = optax.linear_schedule(0.1, 0.05, 10)
    its = taken(
        "flax",
        "examples/imagenet/models.py",
        "examples/imagenet/train.py",
        NUM_CLASSES=10,
        dynamic_scale_lib=SimpleNamespace(DynamicScale=Any),
    )
    model = its.ResNet([1, 1], getattr(its, block), 10, 4)
    variables = model.init(KEY, jnp.ones((1, 16, 16, 3)))
    state = its.TrainState.create(
        apply_fn=model.apply,
        params=variables["params"],
        tx=optax.sgd(rate, momentum=0.9, nesterov=True),
        batch_stats=variables["batch_stats"],
        dynamic_scale=None,
    )
    step = mapping(partial(its.train_step, learning_rate_fn=rate), axis_name="batch")
    drawn = named(images(16, 16, 3, samples=4))

    def batch(number):
        return jax.tree.map(lambda array: array[None], drawn(number))

    return jax_utils.replicate(state), step, {"batch": batch, "batch_axis": 1}


def residual_blocks() -> Training:
    """Return a ResNet with batch normalisation, mapped over the devices.

    From examples/imagenet/train.py.
    """
    return residual("ResNetBlock", jax.pmap)


def bottlenecks() -> Training:
    """Return a ResNet with bottlenecks, whose devices are an axis of its arrays.

    From examples/imagenet/train.py.
    """
    return residual("BottleneckResNetBlock", jax.vmap)


def translation() -> Training:
    """Return a transformer that translates padded texts, with smoothed labels and dropout.

    From examples/wmt/train.py.
    """
    models = taken("flax", "examples/wmt/models.py")
    its = taken(
        "flax",
        "examples/wmt/train.py",
        models=models,
        dynamic_scale_lib=SimpleNamespace(DynamicScale=Any),
    )
    config = models.TransformerConfig(13, 13, True, False, jnp.float32, 12, 2, 1, 12, 16, 8)
    blank, rate = jnp.ones((2, 6)), its.create_learning_rate_schedule(2e-3, 1000)
    quiet = config.replace(deterministic=True)
    params = models.Transformer(quiet).init(KEY, blank, blank)["params"]
    tx = optax.adamw(rate, b1=0.9, b2=0.98, eps=1e-9, weight_decay=0.01)
    state = its.TrainState.create(apply_fn=None, params=params, tx=tx, dynamic_scale=None)
    train = partial(
        its.train_step, config=config, learning_rate_fn=rate, label_smoothing=0.1, dropout_rng=KEY
    )
    sources, targets = texts(6, 13, padding=2), texts(6, 13, padding=3)

    def batch(number: int) -> Any:
        pair = {"inputs": sources(number), "targets": targets(number + 100)}
        return jax.tree.map(lambda array: array[None], pair)

    step = jax.jit(jax.vmap(train, axis_name="batch"))
    return jax_utils.replicate(state), step, {"batch": batch, "batch_axis": 1}


def language_model(batch: Any) -> Training:
    """Return a training of a language model."""
    models = taken("flax", "examples/lm1b/models.py")
    its = taken("flax", "examples/lm1b/train.py", models=models)
    config = models.TransformerConfig(13, 13, False, True, jnp.float32, 12, 2, 1, 12, 16, 8)
    rate = its.create_learning_rate_schedule(2e-3, 1000)
    model = models.TransformerLM(config.replace(deterministic=True))
    params = nn.unbox(model.init(KEY, jnp.ones((2, 6)))["params"])
    tx = optax.adamw(rate, b1=0.9, b2=0.98, eps=1e-9, weight_decay=0.1)

    def step(state, batch):
        return its.train_step(state, batch, config, rate, 0.0, KEY)

    return begun(model, params, tx), jax.jit(step), {"batch": batch}


def padded_texts() -> Training:
    """Return a language model of padded texts.

    From examples/lm1b/train.py.
    """
    return language_model(named(lambda number: [texts(6, 13, padding=2)(number)], "inputs"))


def packed_texts() -> Training:
    """Return a language model of texts, two of which are packed into each sample.

    From examples/lm1b/train.py.
    """
    segments = np.tile(np.array([1, 1, 1, 2, 2, 2, 2], np.int32), (4, 1))
    positions = np.tile(np.array([0, 1, 2, 0, 1, 2, 3], np.int32), (4, 1))
    drawn, names = texts(7, 13), ("inputs", "inputs_position", "inputs_segmentation")
    return language_model(named(lambda number: [drawn(number), positions, segments], *names))


def tags() -> Training:
    """Return a transformer that tags the words of padded texts, without a mask.

    From examples/nlp_seq/train.py.
    """
    models = taken("flax", "examples/nlp_seq/models.py")
    its = taken("flax", "examples/nlp_seq/train.py")
    config = models.TransformerConfig(13, 5, jnp.float32, 12, 2, 1, 12, 16, 6)
    model = models.Transformer(config)
    params = model.init(KEY, inputs=jnp.ones((6, 1)), train=False)["params"]
    rate = its.create_learning_rate_scheduler(base_learning_rate=0.05)
    tx = optax.adamw(rate, b1=0.9, b2=0.98, eps=1e-9, weight_decay=1e-1)
    train = partial(its.train_step, model=model, learning_rate_fn=rate, dropout_rng=KEY)
    drawn = texts(6, 13, padding=3)

    def batch(number: int) -> Any:
        inputs = drawn(number)
        tags = np.random.default_rng(number).integers(1, 5, inputs.shape).astype(np.int32)
        return {"inputs": inputs[None], "targets": np.where(inputs > 0, tags, 0)[None]}

    step = jax.vmap(train, axis_name="batch")
    state = jax_utils.replicate(begun(model, params, tx))
    return state, step, {"batch": batch, "batch_axis": 1}


def policies() -> Training:
    """Return proximal policy optimisation of made-up games, several batches a step.

    From examples/ppo/ppo_lib.py.
    """
    numbers = {32: 4, 64: 6, 512: 12, 3: 2}
    model = taken("flax", "examples/ppo/models.py", numbers=numbers).ActorCritic(3)
    its = taken("flax", "examples/ppo/ppo_lib.py", agent=taken("flax", "examples/ppo/agent.py"))
    params = model.init(KEY, jnp.ones((1, 32, 32, 4)))["params"]
    how = {"clip_param": 0.1, "vf_coeff": 0.5, "entropy_coeff": 0.01}
    drawn = images(32, 32, 4, classes=3)

    def batch(number: int) -> Any:
        pixels, actions = drawn(number)
        numbers = np.random.default_rng(number).standard_normal((2, 6)).astype(np.float32)
        chances = np.full(6, -np.log(3), np.float32)
        return (pixels * 255).astype(np.uint8), actions, chances, *numbers

    def step(state, batch):
        return its.train_step(state, batch, 3, **how)

    return begun(model, params, optax.adam(2.5e-4)), step, {"batch": batch}


def molecules(number: int) -> Any:
    """Return three graphs, padded, whose labels are missing here and there."""
    random, graphs = np.random.default_rng(number), []
    for nodes in (3, 4, 2):
        edges = 2 * nodes
        labels = random.integers(0, 2, (1, 5)).astype(np.float32)
        labels[0, random.integers(5)] = np.nan
        graphs.append(
            jraph.GraphsTuple(
                nodes=random.standard_normal((nodes, 4)).astype(np.float32),
                edges=random.standard_normal((edges, 3)).astype(np.float32),
                senders=random.integers(0, nodes, edges).astype(np.int32),
                receivers=random.integers(0, nodes, edges).astype(np.int32),
                globals=labels,
                n_node=np.array([nodes], np.int32),
                n_edge=np.array([edges], np.int32),
            )
        )
    return jraph.pad_with_graphs(jraph.batch_np(graphs), 12, 20, 4)


def graphs(kind: str) -> Training:
    """Return a training of a graph network."""
    metrics = SimpleNamespace(single_from_model_output=lambda loss, **_: {"loss": loss.mean()})
    its = taken(
        "flax",
        "examples/ogbg_molpcba/models.py",
        "examples/ogbg_molpcba/train.py",
        TrainMetrics=metrics,
    )
    quiet = getattr(its, kind)(10, 1, 2, 5, 0.1)
    params = quiet.init(KEY, its.replace_globals(molecules(0)))
    model = quiet.clone(deterministic=False)

    def step(state, batch):
        key = jax.random.fold_in(KEY, state.step)
        return its.train_step(state, batch, {"dropout": key})

    return begun(model, params, optax.adam(1e-3)), step, {"batch": molecules}


def graph_network() -> Training:
    """Return a graph network over padded molecules with missing labels.

    From examples/ogbg_molpcba/train.py.
    """
    return graphs("GraphNet")


def graph_convolutions() -> Training:
    """Return graph convolutions over padded molecules with missing labels.

    From examples/ogbg_molpcba/train.py.
    """
    return graphs("GraphConvNet")


def straight_line() -> Training:
    """Return a linear regression by the absolute error.

    From examples/linen_design_test/linear_regression.py.
    """
    folder = "examples/linen_design_test/"
    dense = taken("flax", folder + "dense.py").Dense
    its = taken("flax", folder + "linear_regression.py", also=("X", "Y", "model"), Dense=dense)

    def step(params: Any, _: Any) -> Any:
        value, gradients = jax.value_and_grad(its.loss_fn)(params)
        return jax.tree.map(lambda x, d: x - 0.03 * d, params, gradients), value

    return its.init_params(KEY), step


def quick_start() -> Training:
    """Return a convolutional network with momentum.

    From docs/quick_start.ipynb.
    """
    its = taken("flax", "docs/quick_start.ipynb", numbers={**SMALLER, 28: 8})
    cnn = its.CNN()
    params = cnn.init(KEY, jnp.ones((1, 8, 8, 1)))["params"]
    state = begun(cnn, params, optax.sgd(0.01, 0.9))
    return state, its.train_step, {"batch": named(images(8, 8, 1))}
