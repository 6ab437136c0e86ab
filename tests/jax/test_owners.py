"""The parameters that the arrays of Optax's optimisers follow, where all widths are equal."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import needs

pytestmark = needs("optax")

RATE, WIDTH = 1e-2, 8
PRIMES = [11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
PLAIN = (
    "adabelief adadelta adafactor adagrad adam adamax adamaxw adamw adan amsgrad fromage lamb lars "
    "lion nadam nadamw novograd optimistic_gradient_descent radam rmsprop rprop sgd "
    "sign_sgd sm3 yogi"
)
CONTRIB = (
    "acprop ademamix adopt cocob dadapt_adamw dog dowg galore madgrad momo momo_adam muon prodigy "
    "schedule_free_adamw schedule_free_sgd"
)
WRAPPED = {
    "schedule": "optax.adam(optax.warmup_cosine_decay_schedule(0.0, RATE, 3, 10))",
    "momentum": "optax.sgd(RATE, 0.9, nesterov=True)",
    "centered": "optax.rmsprop(RATE, centered=True, momentum=0.9)",
    "factored": "optax.adafactor(RATE, min_dim_size_to_factor=4, momentum=0.9)",
    "injected": "optax.inject_hyperparams(optax.adamw)(learning_rate=RATE)",
    "partition": "optax.multi_transform({0: optax.adam(RATE), 1: optax.sgd(RATE, 0.9)}, group)",
    "muon of a part": "optax.multi_transform({0: muon(RATE), 1: optax.adamw(RATE)}, group)",
    "masked": "optax.chain(optax.masked(optax.trace(0.9), matrices), optax.scale(-RATE))",
    "clipped": "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(RATE))",
    "named": "optax.named_chain(('clip', optax.clip(1.0)), ('adam', optax.adam(RATE)))",
    "several steps": "optax.MultiSteps(optax.adam(RATE), 2)",
    "if finite": "optax.apply_if_finite(optax.adam(RATE), 3)",
    "average": "optax.chain(optax.adam(RATE), optax.ema(0.9))",
    "conditional": "optax.conditionally_transform(optax.adam(RATE), lambda step: step < 3)",
    "line search": "optax.lbfgs(RATE)",
    "mechanic": "contrib.mechanize(optax.adam(RATE))",
    "noisy": "optax.noisy_sgd(RATE, key=0)",
    "sam": "contrib.sam(optax.adam(RATE), optax.sgd(0.1), sync_period=2)",
}
EVERY = [
    *(f"optax.{name}(RATE)" for name in PLAIN.split()),
    *(f"contrib.{name}(RATE)" for name in CONTRIB.split()),
    *WRAPPED.values(),
]


def optimiser(text):
    import jax
    import optax
    from optax import contrib

    def matrices(params):
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    def group(params):
        leaves, tree = jax.tree.flatten(params)
        return jax.tree.unflatten(tree, [n % 2 for n in range(len(leaves))])

    named = {"optax": optax, "contrib": contrib, "muon": contrib.muon, "RATE": RATE}
    return eval(text, named | {"matrices": matrices, "group": group})


def models():
    w = [np.full((WIDTH, WIDTH), n, "f4") for n in range(3)]
    b = [np.full(WIDTH, n, "f4") for n in range(3)]
    return {
        "dict": {f"layer{n}": {"kernel": w[n], "bias": b[n]} for n in range(3)},
        "list": [[w[n], b[n]] for n in range(3)],
    }


def owners_by_size(text, params):
    """Return the parameter of each array of a state, by sizes that no two axes share."""
    import jax

    leaves, tree = jax.tree.flatten(params)
    sizes, of, others = iter(PRIMES), {}, []
    for number, leaf in enumerate(leaves):
        shape = tuple(next(sizes) for _ in leaf.shape)
        of.update(dict.fromkeys(shape, number))
        others.append(np.ones(shape, "f4"))
    state = jax.tree.leaves(optimiser(text).init(jax.tree.unflatten(tree, others)))
    found = [{of[size] for size in np.shape(leaf) if size in of} for leaf in state]
    return [each.pop() if len(each) == 1 else None for each in found]


@pytest.mark.parametrize("form", ["dict", "list"])
@pytest.mark.parametrize("text", EVERY)
def test_arrays_of_an_optimiser_follow_the_parameters_that_they_were_made_for(text, form):
    import jax

    from symmetry.jax.names import keyed_leaves, owners_of

    params = models()[form]
    state = params, optimiser(text).init(params)
    paths = [path for path, _ in keyed_leaves(state)]
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(state)]
    own = range(len(jax.tree.leaves(params)))
    owners = owners_of(paths, shapes, own, behind={})[len(own) :]
    for owner, size, shape in zip(
        owners, owners_by_size(text, params), shapes[len(own) :], strict=True
    ):
        if size is None or np.prod(shape) <= 1:
            continue  # a number, or nothing in the place of an array
        if form == "dict" or owner is not None:  # numbers for names do not always tell
            assert owner.parameter == size


@needs("flax")
@pytest.mark.parametrize("holds", [False, True])
def test_arrays_that_nnx_hands_to_a_jitted_function_have_the_names_of_the_model(holds, monkeypatch):
    import jax
    import optax
    from flax import nnx

    from symmetry.jax.names import keyed_leaves, owners_of

    seen, jit = [], jax.jit

    def recording(function, **options):
        return lambda *args: seen.append(args) or jit(function, **options)(*args)

    monkeypatch.setattr(jax, "jit", recording)
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    if holds:
        optimizer = nnx.ModelAndOptimizer(model, optax.adam(RATE))
    else:
        optimizer = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)
    nnx.jit(lambda *_: None)(model, optimizer)
    keyed = keyed_leaves(seen[0])
    words = [".".join(path) for path, _ in keyed]
    assert words[:2] == ["0.bias", "0.kernel"]
    assert {"1.opt_state.0.mu.bias", "1.opt_state.0.nu.kernel"} <= {*words}
    owners = owners_of([path for path, _ in keyed], [np.shape(a) for _, a in keyed], [0, 1], {})
    found = {word: owner.parameter for word, owner in zip(words, owners, strict=True) if owner}
    assert found == {
        f"1.opt_state.0.{moment}.{name}": number
        for moment in ("mu", "nu")
        for number, name in enumerate(("bias", "kernel"))
    }
