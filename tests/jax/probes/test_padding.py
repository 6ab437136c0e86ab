"""Losses at the padding of texts in JAX, judged by ``loss/padding``."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = [needs("jax"), needs("optax")]

WORDS, LENGTH, WIDTH = 13, 7, 6
LENGTHS = np.array([[7], [4], [6], [5]])


def texts(number: int, end: int | None = None) -> Any:
    """Return texts that are filled up with 0, a mask of them, and a tag for each token."""
    random = np.random.default_rng(number)
    tokens = random.integers(3, WORDS, (len(LENGTHS), LENGTH)).astype(np.int32)
    places = np.arange(LENGTH)
    if end is not None:
        tokens[places == LENGTHS - 1] = end
    tokens[places >= LENGTHS] = 0
    tags = np.where(places < LENGTHS, random.integers(1, 4, tokens.shape), 0).astype(np.int32)
    mask = (places < LENGTHS).astype(np.int32)
    return {"input_ids": tokens, "attention_mask": mask, "tags": tags}


def training(labels: Any, mean: Any, *, attends: bool = True, end: int | None = None) -> Any:
    """Return a training of a small model of texts: ``labels(batch)``, ``mean(each, mask)``."""
    import jax
    import jax.numpy as jnp
    import optax

    keys = jax.random.split(jax.random.key(0), 2)
    params = {
        "table": jax.random.normal(keys[0], (WORDS, WIDTH)),
        "head": jax.random.normal(keys[1], (WIDTH, WORDS)),
    }

    @jax.jit
    def step(params: Any, batch: Any) -> Any:
        def loss(params: Any) -> Any:
            hidden, mask = params["table"][batch["input_ids"]], batch["attention_mask"]
            if attends:  # to earlier tokens that are seen
                weights = jnp.tril(jnp.ones((LENGTH, LENGTH))) * mask[:, None, :]
                mixed = jnp.einsum("bts,bsd->btd", weights, hidden)
                hidden = hidden + mixed / weights.sum(-1, keepdims=True)
            logits = jnp.tanh(hidden) @ params["head"]
            wanted = labels(batch)
            logits, mask = logits[:, : wanted.shape[1]], mask[:, -wanted.shape[1] :]
            each = optax.softmax_cross_entropy_with_integer_labels(logits, wanted)
            return mean(each, mask)

        value, gradients = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return params, step, {"batch": partial(texts, end=end)}


def next_tokens(batch: Any) -> Any:
    return batch["input_ids"][:, 1:]


def tags(batch: Any) -> Any:
    return batch["tags"]


def of_all(each: Any, _: Any) -> Any:
    return each.mean()


def of_visible(each: Any, mask: Any) -> Any:
    return (each * mask).sum() / mask.sum()


def of_each_text(each: Any, mask: Any) -> Any:
    return ((each * mask).sum(1) / mask.sum(1)).mean()


def judged(*args: Any, **options: Any) -> Any:
    target = FunctionTraining("training", partial(training, *args, **options))
    checked = check_target(target, only="loss/padding", dtype="float64")
    (verdict,) = checked.verdicts
    return verdict, {note.name for note in checked.notes}


@pytest.mark.parametrize("labels", [next_tokens, tags])
@pytest.mark.parametrize("mean", [of_visible, of_each_text])
def test_a_loss_that_leaves_padding_out_holds(labels, mean):
    verdict, notes = judged(labels, mean)
    assert (verdict.kind, notes) == ("holds", set())


@pytest.mark.parametrize("labels", [next_tokens, tags])
def test_a_loss_that_counts_padding_is_violated(labels):
    verdict, _ = judged(labels, of_all)
    assert verdict.kind == "violated"
    assert "(the attention mask hides them)" in verdict.message
    assert "with the label 0" in verdict.message
    assert verdict.message.endswith("Multiply the loss of each place by the mask")
    assert verdict.violation.line in range(training.__code__.co_firstlineno, 70)


def test_padding_that_no_mask_hides_may_end_the_text():
    verdict, notes = judged(next_tokens, of_all, attends=False)
    assert verdict.kind == "holds"
    assert notes == {"loss/padding"}


def test_padding_that_no_mask_hides_is_a_fault_if_another_token_ends_texts():
    verdict, _ = judged(next_tokens, of_all, attends=False, end=1)
    assert verdict.kind == "violated"
    assert "they fill the rows up to one length" in verdict.message
