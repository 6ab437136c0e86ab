"""Language models in JAX, judged by ``loss/next-token``."""

from __future__ import annotations

from functools import partial
from operator import getitem

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = [needs("jax"), needs("optax")]

WORDS, LENGTH, WIDTH, BATCH = 13, 8, 6, 3


def language_model(mix, *, shift=1, parts=1, look_up=getitem):
    """Return a training of a small model on texts; ``mix`` lets tokens read others.

    A scan adds up the gradients of several ``parts``; ``look_up`` finds words in the table.
    """
    import jax
    import jax.numpy as jnp
    import optax

    keys = jax.random.split(jax.random.key(0), 3)
    shapes = {"table": (WORDS, WIDTH), "mix": (WIDTH, WIDTH), "head": (WIDTH, WORDS)}
    params = {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }

    def step(params, i):
        shape = (parts, BATCH, LENGTH)
        texts = jax.random.randint(jax.random.fold_in(keys[0], i), shape, 0, WORDS)

        def loss(params, text):
            given, labels = text[:, : LENGTH - shift], text[:, shift:]
            hidden = mix(look_up(params["table"], given), params["mix"])
            logits = jnp.tanh(hidden) @ params["head"]
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        def add(total, text):
            value, gradients = jax.value_and_grad(loss)(params, text)
            return jax.tree.map(jnp.add, total, gradients), value

        if parts == 1:
            value, gradients = jax.value_and_grad(loss)(params, texts[0])
        else:
            zeros = jax.tree.map(jnp.zeros_like, params)
            gradients, values = jax.lax.scan(add, zeros, texts)
            value = values.mean()
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return params, step


def word_by_word(table, texts):
    """Look up single words, as the embedding of Equinox does under ``vmap``."""
    import jax

    return jax.vmap(jax.vmap(lambda word: table[word]))(texts)


def attention(hidden, weight, *, causal):
    import jax
    import jax.numpy as jnp

    scores = jnp.einsum("btd,bsd->bts", hidden @ weight, hidden)
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[1:])) > 0, scores, -1e9)
    return hidden + jnp.einsum("bts,bsd->btd", jax.nn.softmax(scores), hidden)


def forwards(hidden, weight):
    """Return the states of a recurrent network."""
    import jax
    import jax.numpy as jnp

    def cell(state, token):
        state = jnp.tanh(token + state @ weight)
        return state, state

    start = jnp.zeros((hidden.shape[0], hidden.shape[2]))
    _, states = jax.lax.scan(cell, start, hidden.swapaxes(0, 1))
    return states.swapaxes(0, 1)


def normalised(hidden, weight):
    """Normalise over batch and text: every output depends on every token."""
    hidden = hidden @ weight
    return (hidden - hidden.mean((0, 1))) / hidden.std((0, 1))


def judged(mix, **options):
    target = FunctionTraining("training", partial(language_model, mix, **options))
    (verdict,) = check_target(target, only="loss/next-token", dtype="float64").verdicts
    return verdict


@pytest.mark.parametrize("mix", [partial(attention, causal=True), forwards])
@pytest.mark.parametrize("look_up", [getitem, word_by_word])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_model_that_reads_backwards_holds(mix, look_up, parts):
    assert judged(mix, look_up=look_up, parts=parts).kind == "holds"


def test_batch_normalisation_is_not_judged():
    verdict = judged(normalised)
    assert verdict.kind == "vacuous"
    assert "depend on the other texts" in verdict.message


@pytest.mark.parametrize("look_up", [getitem, word_by_word])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_missing_mask_is_named_by_the_product_that_reads_ahead(look_up, parts):
    verdict = judged(partial(attention, causal=False), look_up=look_up, parts=parts)
    assert verdict.kind == "violated"
    assert "The first to mix them is dot_general: give it a causal mask" in verdict.message
    first = attention.__code__.co_firstlineno
    assert verdict.violation.line in range(first, first + 9)


def test_labels_that_are_not_shifted_are_copied():
    verdict = judged(forwards, shift=0)
    assert verdict.kind == "violated"
    assert "shift the labels by one" in verdict.message


def test_labels_that_were_shifted_twice():
    verdict = judged(forwards, shift=2)
    assert verdict.kind == "violated"
    assert "shifted twice" in verdict.message
