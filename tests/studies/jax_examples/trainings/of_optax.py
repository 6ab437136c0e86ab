"""Trainings by the examples of optax: https://github.com/google-deepmind/optax."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.example_libraries import stax
from optax import contrib, transforms

from tests.studies.jax_examples.data import Training, images, named, texts
from tests.studies.jax_examples.sources import taken

SMALLER = {1000: 16, 256: 16, 64: 12, 32: 8, 7: 2}  # for images of 8 x 8 pixels


def by_gradients(optimizer: Any, loss: Any, params: Any) -> Training:
    """Return a training in full batches."""

    def step(state: Any, _: Any) -> Any:
        params, inner = state
        value, gradients = jax.value_and_grad(loss)(params)
        changes, inner = optimizer.update(gradients, inner, params)
        return (optax.apply_updates(params, changes), inner), value

    return (params, optimizer.init(params)), step


def perceptron() -> Training:
    """Return a perceptron of NNX, trained by Adam.

    From examples/mlp_mnist.ipynb.
    """
    its = taken("optax", "examples/mlp_mnist.ipynb")
    model = its.MLP(num_inputs=64, num_classes=10, hidden_sizes=[20, 16], rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(0.002), wrt=nnx.Param)

    def step(state, batch):
        return (state, its.train_step(*state, batch))

    return (model, optimizer), step, {"batch": images(64)}


def lookahead() -> Training:
    """Return a convolutional network of NNX, trained by Adam with lookahead.

    From examples/lookahead_mnist.ipynb.
    """
    its = taken("optax", "examples/lookahead_mnist.ipynb", numbers=SMALLER)
    net = its.CNN(1, nnx.Rngs(0))
    solver = optax.lookahead(optax.adam(0.002), 5, 0.1)
    train_step = its.inner("train_step", solver=solver)
    params = optax.LookaheadParams.init_synced(nnx.state(net, nnx.Param))

    def step(state: Any, batch: Any) -> Any:
        params, inner, loss, _ = train_step(state[0], net, state[1], batch)
        return (params, inner), loss

    return (params, solver.init(params)), step, {"batch": images(8, 8, 1)}


def meta_learning() -> Training:
    """Return a learning rate that is learned itself, of one weight.

    From examples/meta_learning.ipynb.
    """
    names = ("init_learning_rate", "meta_learning_rate", "opt", "meta_opt")
    its = taken("optax", "examples/meta_learning.ipynb", also=names)
    theta, eta = jax.random.normal(jax.random.PRNGKey(42)), jnp.asarray(-np.log(9.0), jnp.float32)

    def pairs(number: int) -> Any:
        random = np.random.default_rng(number)
        x = random.uniform(0.0, 10.0, 7).astype(np.float32)
        return [*zip(x, (10 * x + random.standard_normal(7)).astype(np.float32), strict=True)]

    state = eta, theta, its.meta_opt.init(eta), its.opt.init(theta)
    return state, lambda state, given: its.outer_step(*state, given), {"batch": pairs}


def regression() -> Training:
    """Return a linear regression by a layer of NNX.

    From examples/flax_example.ipynb.
    """
    its = taken("optax", "examples/flax_example.ipynb")
    random = np.random.default_rng(0)
    x, w = random.standard_normal((20, 10)), random.standard_normal((10, 5))
    y = x @ w + 0.1 * random.standard_normal((20, 5))
    loss = its.make_mse_func(x.astype(np.float32), y.astype(np.float32))
    model = nnx.Linear(in_features=10, out_features=5, rngs=nnx.Rngs(0))
    adam = optax.chain(optax.scale_by_adam(), optax.scale(-1e-2))
    optimizer = nnx.Optimizer(model, adam, wrt=nnx.Param)

    def step(state: Any, _: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(state[0])
        state[1].update(state[0], gradients)
        return state, value

    return (model, optimizer), step


def accumulated() -> Training:
    """Return a perceptron of NNX whose gradients MultiSteps accumulates over three batches.

    From examples/gradient_accumulation.ipynb.
    """
    numbers = {28: 4, 512: 12}
    its = taken("optax", "examples/gradient_accumulation.ipynb", numbers=numbers)
    model = its.MLP(nnx.Rngs(0))
    steps = optax.MultiSteps(optax.sgd(1e-2), every_k_schedule=3)
    train_step = its.build_train_step()

    def step(state: Any, batch: Any) -> Any:
        train_step(*state, batch)
        return state

    optimizer = nnx.Optimizer(model, steps, wrt=nnx.Param)
    return (model, optimizer), step, {"batch": named(images(4, 4, samples=3))}


def microbatches() -> Training:
    """Return a transformer of NNX whose gradients are computed in parts of a batch.

    From examples/gradient_accumulation_and_microbatching.ipynb.
    """
    path = "examples/gradient_accumulation_and_microbatching.ipynb"
    transformer = taken("optax", path).Transformer(13, 2, 16, 2, rngs=nnx.Rngs(0))
    graphdef, params = nnx.split(transformer, nnx.Variable)
    adamw = optax.adamw(1e-3)
    its = taken("optax", path, graphdef=graphdef, adamw=adamw, batch_size=2)

    def step(state, batch):
        return its.update_fn_v3(state[0], batch, state[1])

    return (params, adamw.init(params)), step, {"batch": texts(7, 13, samples=6)}


def saddle() -> Training:
    """Return a saddle of two numbers, left by optimistic gradient descent.

    From examples/ogda_example.ipynb.
    """
    its = taken("optax", "examples/ogda_example.ipynb")
    optimizer, params = optax.optimistic_gradient_descent(0.1), jnp.array([1.0, 1.0])
    return (params, optimizer.init(params)), partial(its.update, optimizer)


def adversarial() -> Training:
    """Return a convolutional network of Linen, trained on images that are attacked.

    From examples/adversarial_training.ipynb.
    """
    optimizer = optax.adam(0.001)
    given = {"EPSILON": 0.01, "L2_REG": 0.0001, "optimizer": optimizer}
    path, numbers = "examples/adversarial_training.ipynb", {**SMALLER, 10: 3}
    net = taken("optax", path, numbers=numbers).CNN(10)
    its = taken(
        "optax",
        path,
        also=("tree_norm", "softmax_cross_entropy_with_integer_labels"),
        numbers=numbers,
        net=net,
        **given,
    )
    params = net.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    drawn = images(8, 8, 1, samples=4)

    def batch(i):
        return ((drawn(i)[0] * 255).astype(np.uint8), drawn(i)[1])

    def step(state, batch):
        return its.train_step(*state, batch)

    return (params, optimizer.init(params)), step, {"batch": batch}


def private() -> Training:
    """Return a convolutional network of stax, trained by optax.contrib.dpsgd.

    From examples/contrib/differentially_private_sgd.ipynb.
    """
    tx = contrib.dpsgd(learning_rate=0.25, l2_norm_clip=1.5, noise_multiplier=1.3, seed=1337)
    its = taken(
        "optax",
        "examples/contrib/differentially_private_sgd.ipynb",
        also=("init_random_params", "predict"),
        numbers={16: 6, 32: 8, 8: 4, 4: 3},
        DPSGD=True,
        tx=tx,
        stax=stax,
    )
    _, params = its.init_random_params(jax.random.PRNGKey(1337), (-1, 12, 12, 1))

    def step(state, batch):
        return its.train_step(*state, batch)

    return (params, tx.init(params)), step, {"batch": images(12, 12, 1, samples=4)}


def sharpness_aware() -> Training:
    """Return two numbers in a landscape with a sharp and a flat minimum, trained by SAM.

    From examples/contrib/sam.ipynb.
    """
    its = taken("optax", "examples/contrib/sam.ipynb")
    return by_gradients(
        next(its.all_of("sam_adam"))(0.01, sync_period=2), its.loss, jnp.array([-0.4, -0.4])
    )


def sharpness_aware_opaquely() -> Training:
    """Return the same, where each update computes all gradients itself.

    From examples/contrib/sam.ipynb.
    """
    its = taken("optax", "examples/contrib/sam.ipynb")
    optimizer = its.sam_mom(0.01)
    step = its.make_step(optimizer)
    params = jnp.array([-0.4, -0.4])
    return its.Store(params=params, state=optimizer.init(params)), lambda state, _: step(state)


def language_model() -> Training:
    """Return a small language model of Linen with dropout.

    From examples/nanolm.ipynb.
    """
    opt = optax.adamw(learning_rate=5e-3)
    given = {
        "BATCH_SIZE": 4,
        "BLOCK_SIZE": 8,
        "opt": opt,
        "train_data": jnp.asarray(texts(90, 11, samples=1)(0)[0]),
    }
    names = ("dynamic_slice_vmap",)
    model = taken("optax", "examples/nanolm.ipynb").NanoLM(11, 2, 2, 8, 0.2, 16, 8)
    its = taken("optax", "examples/nanolm.ipynb", also=names, model=model, **given)
    key = jax.random.PRNGKey(42)
    params = model.init(key, jnp.ones((4, 8), jnp.int32), training=False)

    def step(state: Any, _: Any) -> Any:
        params, key, inner, loss = its.step(state[1], state[0], state[2])
        return (params, key, inner), loss

    return (params, key, opt.init(params)), step


def plateau() -> Training:
    """Return a perceptron of Linen whose rate reduce_on_plateau lowers.

    From examples/contrib/reduce_on_plateau.ipynb.
    """
    rate = contrib.reduce_on_plateau(patience=5, factor=0.5, rtol=1e-4, accumulation_size=200)
    opt = optax.chain(optax.adam(0.01), rate)
    given = {"NUM_CLASSES": 10, "opt": opt}
    path = "examples/contrib/reduce_on_plateau.ipynb"
    net = taken("optax", path, **given).MLP((20, 16))
    its = taken("optax", path, net=net, **given)
    train_step = next(its.all_of("train_step"))
    params = net.init(jax.random.PRNGKey(0), jnp.ones((1, 8, 8, 1)))["params"]

    def step(state: Any, batch: Any) -> Any:
        params, inner, value, _ = train_step(*state, batch)
        return (params, inner), value

    return (params, opt.init(params)), step, {"batch": images(8, 8, 1)}


def partly_frozen() -> Training:
    """Return two numbers of which optax freezes one.

    From examples/freezing_parameters.ipynb.
    """
    its = taken("optax", "examples/freezing_parameters.ipynb")
    mask = {"param0": False, "param1": True}
    params = {name: jnp.array([10.0]) for name in mask}
    frozen = optax.chain(optax.adam(0.1), transforms.freeze(mask))
    return by_gradients(frozen, its.loss_fn, params)


def partitioned() -> Training:
    """Return two numbers of which an optimiser has one, and none the other.

    From examples/freezing_parameters.ipynb.
    """
    its = taken("optax", "examples/freezing_parameters.ipynb")
    parts = {"train": optax.adam(0.1), "freeze": optax.set_to_zero()}
    optimizer = optax.partition(parts, {"param0": "train", "param1": "freeze"})
    params = {name: jnp.array([10.0]) for name in ("param0", "param1")}
    return by_gradients(optimizer, its.loss_fn, params)


def ranked() -> Training:
    """Return numbers whose order random perturbations make differentiable.

    From examples/perturbations.ipynb.
    """
    names = ("N_SAMPLES", "SIGMA", "GUMBEL", "pert_one_hot")
    its = taken("optax", "examples/perturbations.ipynb", also=names)

    def step(state: Any, _: Any) -> Any:
        values, key = state
        key, mine = jax.random.split(key)
        value, gradient = jax.value_and_grad(its.loss_simplex)(values, mine)
        return (values - 0.5 * gradient, key), value

    return (jnp.array([-0.6, 1.9, -0.2, 1.1, -1.0]), jax.random.PRNGKey(0)), step


def line_search() -> Training:
    """Return numbers in the valley of Rosenbrock, minimised by L-BFGS with a line search.

    From examples/lbfgs.ipynb.
    """

    def valley(w: Any) -> Any:
        return jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)

    opt, start = optax.lbfgs(), jnp.zeros(8)
    its = taken("optax", "examples/lbfgs.ipynb")
    value_and_grad = optax.value_and_grad_from_state(valley)
    step = its.inner("run_opt.step", opt=opt, fun=valley, value_and_grad_fun=value_and_grad)
    return (start, opt.init(start)), lambda state, _: step(state)


def binary() -> Training:
    """Return a perceptron in plain JAX with a schedule of warm-up and decay.

    From docs/getting_started.ipynb.
    """
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, 50, 1000)
    optimizer = optax.chain(optax.clip(1.0), optax.adamw(schedule))
    its = taken("optax", "docs/getting_started.ipynb")
    train_step = its.inner("fit.step", optimizer=optimizer)
    keys = jax.random.split(jax.random.PRNGKey(0))
    params = {
        "hidden": jax.random.normal(keys[0], (8, 12)),
        "output": jax.random.normal(keys[1], (12, 2)),
    }

    def bits(number: int) -> Any:
        raw = np.random.default_rng(number).integers(0, 255, (5, 1)).astype(np.uint8)
        return np.unpackbits(raw, axis=-1), np.eye(2, dtype=np.float32)[raw[:, 0] % 2]

    def step(state: Any, batch: Any) -> Any:
        params, inner, value = train_step(*state, *batch)
        return (params, inner), value

    return (params, optimizer.init(params)), step, {"batch": bits}


def muon() -> Training:
    """Return matrices that Muon updates, and other arrays that Adam updates.

    From examples/contrib/muon.ipynb.
    """
    its = taken("optax", "examples/contrib/muon.ipynb")
    keys, shapes = jax.random.split(jax.random.key(0), 4), ((12, 8), (8,), (8, 6), (4, 3, 3, 6))
    params = [jax.random.normal(*each) for each in zip(keys, shapes, strict=True)]
    return by_gradients(contrib.muon(learning_rate=1e-3), its.loss_fn, params)


def slow_and_fast_momentum() -> Training:
    """Return two numbers in the valley of Rosenbrock, minimised by AdEMAMix.

    From examples/contrib/rosenbrock_ademamix.ipynb.
    """
    its = taken("optax", "examples/contrib/rosenbrock_ademamix.ipynb")
    alpha = optax.linear_schedule(0, 0.8, 1000)
    solver = contrib.ademamix(0.003, b1=0.99, b3=its.b3_scheduler(0.999, 0, 1000), alpha=alpha)
    return by_gradients(solver, its.rosenbrock, jnp.array([-3.0, 5.0]))
