"""Batches that are changed in JAX: other tokens where a mask hides them, and other samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")

WORDS, LENGTH, WIDTH, SAMPLES, CLASSES = 13, 6, 5, 4, 3


def texts(number: int, mask: str = "attention_mask", tokens: str = "input_ids") -> Any:
    """Return padded texts, what hides the padding, and a class for each text."""
    random = np.random.default_rng(number)
    given = random.integers(1, WORDS, (SAMPLES, LENGTH)).astype(np.int32)
    visible = np.arange(LENGTH) < np.array([[6], [3], [5], [4]])
    given[~visible] = 0
    classes = random.integers(0, CLASSES, SAMPLES).astype(np.int32)
    return {tokens: given, mask: visible.astype(np.int32), "class": classes}


def classifier(
    pool: Callable[[Any, Any, Any], Any],
    batch: Callable[[int], Any] = texts,
    mask: str = "attention_mask",
    tokens: str = "input_ids",
) -> Any:
    """Return a training that pools the embeddings of texts: ``pool(hidden, mask, tokens)``."""
    import jax
    import jax.numpy as jnp

    one, other = jax.random.split(jax.random.key(0))
    params = {
        "table": jax.random.normal(one, (WORDS, WIDTH)),
        "head": jax.random.normal(other, (WIDTH, CLASSES)),
    }

    @jax.jit
    def step(params: Any, batch: Any) -> Any:
        def loss(params: Any) -> Any:
            hidden = jnp.tanh(params["table"][batch[tokens]])
            scores = jax.nn.log_softmax(pool(hidden, batch[mask], batch[tokens]) @ params["head"])
            return -jnp.take_along_axis(scores, batch["class"][:, None], 1).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return params, step, {"batch": batch}


def over_visible(hidden: Any, mask: Any, _: Any) -> Any:
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)


def over_all(hidden: Any, mask: Any, _: Any) -> Any:
    return hidden.mean(1) + 0 * mask.sum()


def by_the_pad_number(hidden: Any, mask: Any, tokens: Any) -> Any:
    return over_visible(hidden, (tokens > 0).astype(hidden.dtype), None) + 0 * mask.sum()


def judged(make: Any, dtype: str = "float64") -> Any:
    target = FunctionTraining("training", make)
    (verdict,) = check_target(target, only="training/padding", dtype=dtype).verdicts
    return verdict


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mean_over_visible_tokens_holds(dtype):
    assert judged(partial(classifier, over_visible), dtype).kind == "holds"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mean_over_all_tokens_is_violated(dtype):
    assert judged(partial(classifier, over_all), dtype).kind == "violated"


def test_padding_that_is_known_by_its_number_is_not_judged():
    verdict = judged(partial(classifier, by_the_pad_number))
    assert verdict.kind == "vacuous"
    assert "tokens are compared with a number (tests/jax/parts/test_batches.py:" in verdict.message


def test_a_padding_mask_may_say_the_opposite():
    def turned(number: int) -> Any:
        batch = texts(number, "padding_mask", "tokens")
        return batch | {"padding_mask": 1 - batch["padding_mask"]}

    def over_shown(hidden: Any, mask: Any, tokens: Any) -> Any:
        return over_visible(hidden, 1 - mask, tokens)

    sound = partial(classifier, over_shown, turned, "padding_mask", "tokens")
    assert judged(sound).kind == "holds"
    assert (
        judged(partial(classifier, over_all, turned, "padding_mask", "tokens")).kind == "violated"
    )


def test_a_mask_of_the_loss_is_no_mask_of_tokens():
    batch = partial(texts, mask="loss_mask")
    verdict = judged(partial(classifier, over_all, batch, "loss_mask"))
    assert verdict.kind == "not applicable"
    assert "has no attention_mask or padding_mask" in verdict.message


def test_without_batches_it_does_not_apply():
    from tests.jax.sound import plain_mlp

    assert "its batch is not given" in judged(plain_mlp).message


def test_the_sample_that_a_step_leaves_out_is_named():
    from tests.jax.faulty import the_last_sample_is_left_out as make

    target = FunctionTraining("training", make)
    (verdict,) = check_target(target, only="symmetry/samples", dtype="float64").verdicts
    assert verdict.kind == "violated"
    assert verdict.message.startswith("sample 15 of each batch has no effect")


@pytest.mark.parametrize("drawn", [False, True])
def test_a_sample_that_has_no_effect_may_be_held_out_or_not_drawn(drawn):
    from tests.jax.sound import classified, numbers

    def rows(losses: Any) -> Any:
        import jax

        key = jax.random.key(3)
        return losses[jax.random.randint(key, (3,), 0, 12)] if drawn else losses[:12]

    def make() -> Any:
        return classified(lambda losses: rows(losses).mean(), lambda i: numbers(i if drawn else 0))

    target = FunctionTraining("training", make)
    (verdict,) = check_target(target, only="symmetry/samples", dtype="float64").verdicts
    assert verdict.kind == "vacuous"
