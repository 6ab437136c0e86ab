"""Losses in JAX: sound ones of many kinds, and broken ones with the law that must see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SAMPLES, CLASSES = 16, 4


def trained_on(loss: Callable[[Any, Any], Any]) -> Any:
    """Return a training whose loss is this function of outputs (16, 4) and labels (16,)."""
    from tests.jax.sound import mlp

    return mlp(entropy=loss)


def by_hand(scores: Any, y: Any) -> Any:
    import jax.numpy as jnp

    largest = scores.max(1, keepdims=True)
    total = jnp.log(jnp.exp(scores - largest).sum(1)) + largest[:, 0]
    return (total - scores[jnp.arange(SAMPLES), y]).mean()


def of_logarithm(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.log(jax.nn.softmax(scores) + 1e-8)[jnp.arange(SAMPLES), y].mean()


def smoothed(scores: Any, y: Any) -> Any:
    import jax
    import optax

    targets = optax.smooth_labels(jax.nn.one_hot(y, CLASSES), 0.1)
    return optax.softmax_cross_entropy(scores, targets).mean()


def one_sample_at_a_time(scores: Any, y: Any) -> Any:
    import jax

    return jax.vmap(lambda s, k: -jax.nn.log_softmax(s)[k])(scores, y).mean()


def masked(scores: Any, y: Any) -> Any:
    import jax.numpy as jnp
    import optax

    each = optax.softmax_cross_entropy_with_integer_labels(scores, y)
    return jnp.where(y > 0, each, 0).sum() / (y > 0).sum()


def clip(scores: Any, y: Any) -> Any:
    """Contrast all pairs along both axes."""
    import jax.numpy as jnp
    import optax

    pairs, own = scores @ jnp.roll(scores, 1, 1).T, jnp.arange(SAMPLES)
    both = (
        optax.softmax_cross_entropy_with_integer_labels(logits, own) for logits in (pairs, pairs.T)
    )
    return sum(each.mean() for each in both)


def contrast_along_axis_0(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    pairs = scores @ jnp.roll(scores, 1, 1).T
    return -jnp.diag(jax.nn.log_softmax(pairs, axis=0)).mean()


def matched_along_axis_0(scores: Any, y: Any) -> Any:
    """Contrast all pairs, of which each row has a column of its own, by probabilities."""
    import jax
    import jax.numpy as jnp

    pairs, own = scores @ jnp.roll(scores, 1, 1).T, jnp.arange(SAMPLES)
    return -jnp.log(jax.nn.softmax(pairs, axis=0)[own, jnp.roll(own, 3)]).mean()


def chance_of_the_label(scores: Any, y: Any) -> Any:
    """Return the expected number of errors, which needs no logarithm."""
    import jax
    import jax.numpy as jnp

    return 1 - jax.nn.softmax(scores)[jnp.arange(SAMPLES), y].mean()


def bottleneck_of_samples(scores: Any, y: Any) -> Any:
    """Weigh samples by a softmax over them, and take the logarithm of what is left of each."""
    import jax
    import jax.numpy as jnp
    import optax

    weights = jax.nn.softmax(scores[:, 0])
    each = optax.softmax_cross_entropy_with_integer_labels(scores, y)
    return (weights * each).sum() - 0.01 * jnp.log(weights).mean()


def transport(scores: Any, y: Any) -> Any:
    """Normalise rows and columns in turn, and then read off matches."""
    import jax
    import jax.numpy as jnp

    for axis in (1, 0, 1, 0):
        scores = scores - jax.nn.logsumexp(scores, axis=axis, keepdims=True)
    return -scores[jnp.arange(SAMPLES), y].mean()


def policy_gradient(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    chances = jax.nn.log_softmax(scores)
    entropy = -(jnp.exp(chances) * chances).sum(1)
    return -(chances[jnp.arange(SAMPLES), y] * (y - 1.5) + 0.01 * entropy).mean()


def focal(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    chosen = jax.nn.log_softmax(scores)[jnp.arange(SAMPLES), y]
    return (-((1 - jnp.exp(chosen)) ** 2) * chosen).mean()


def distilled(scores: Any, y: Any) -> Any:
    import jax

    teacher = jax.nn.softmax(jax.nn.one_hot(y, CLASSES) * 3)
    return -(teacher * jax.nn.log_softmax(scores / 2)).sum(1).mean()


def of_two_experts(scores: Any, y: Any) -> Any:
    """Mix probabilities of two softmaxes before the logarithm."""
    import jax
    import jax.numpy as jnp

    chances = (jax.nn.softmax(scores) + jax.nn.softmax(-scores)) / 2
    return -jnp.log(chances)[jnp.arange(SAMPLES), y].mean()


def mixture(scores: Any, y: Any) -> Any:
    """Return a density of two components, of which the weights are a softmax."""
    import jax
    import jax.numpy as jnp

    weights = jax.nn.log_softmax(scores[:, :2])
    parts = weights - (y[:, None] - scores[:, 2:]) ** 2
    return -jax.nn.logsumexp(parts, axis=1).mean() + 0 * jnp.sum(scores)


def both_signs(scores: Any, y: Any) -> Any:
    import optax

    return optax.sigmoid_binary_cross_entropy(scores[:, 0], (y > 1) * 1.0).mean()


def adversarial(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return jnp.where(y > 1, jax.nn.softplus(scores[:, 0]), jax.nn.softplus(-scores[:, 0])).mean()


def scale_of_a_bounded_number(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    scale = jax.nn.softplus(jax.nn.sigmoid(scores[:, 0])) + 0.1
    return (jnp.log(scale) + ((scores[:, 1] - y) / scale) ** 2).mean()


def all_pairs_on_purpose(scores: Any, y: Any) -> Any:
    return abs(scores[:, :1] - y[None, :]).mean()


def distances(scores: Any, y: Any) -> Any:
    return ((scores[:, 0][:, None] - y) ** 2).mean()


def regression(scores: Any, y: Any) -> Any:
    return ((scores[:, :1] - y[:, None]) ** 2).mean()


def attention_over_classes(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    weights = jax.nn.softmax(scores)
    return ((weights * jnp.arange(4.0)).sum(1) - y).__pow__(2).mean()


SOUND = (
    by_hand,
    of_logarithm,
    smoothed,
    one_sample_at_a_time,
    masked,
    clip,
    contrast_along_axis_0,
    matched_along_axis_0,
    chance_of_the_label,
    bottleneck_of_samples,
    transport,
    policy_gradient,
    focal,
    distilled,
    of_two_experts,
    mixture,
    both_signs,
    adversarial,
    scale_of_a_bounded_number,
    all_pairs_on_purpose,
    distances,
    regression,
    attention_over_classes,
)


def softmax_twice(scores: Any, y: Any) -> Any:
    import jax

    return by_hand(jax.nn.softmax(scores), y)


def softmax_twice_in_optax(scores: Any, y: Any) -> Any:
    import jax

    return smoothed(jax.nn.softmax(scores), y)


def softmax_over_the_batch(scores: Any, y: Any) -> Any:
    import jax

    return smoothed(jax.nn.softmax(scores, axis=0), y)


def log_softmax_over_the_batch(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jax.nn.log_softmax(scores, axis=0)[jnp.arange(SAMPLES), y].mean()


def logarithm_of_a_softmax_over_the_batch(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.log(jax.nn.softmax(scores, axis=0)[jnp.arange(SAMPLES), y]).mean()


def a_softmax_by_hand_over_the_batch(scores: Any, y: Any) -> Any:
    import jax.numpy as jnp

    sizes = jnp.exp(scores - scores.max(0))
    chances = sizes / sizes.sum(0)
    return -jnp.log(jnp.take_along_axis(chances, y[:, None], axis=1) + 1e-9).mean()


def chances_of_a_batch_one_by_one(scores: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    chances = jax.nn.softmax(scores, axis=0)
    return jax.vmap(lambda chances, k: -jnp.log(chances[k]))(chances, y).mean()


def sigmoid_twice(scores: Any, y: Any) -> Any:
    import jax

    return both_signs(jax.nn.sigmoid(scores), y)


def column_and_row(scores: Any, y: Any) -> Any:
    return ((scores[:, :1] - y) ** 2).mean()


def quotient_of_column_and_row(scores: Any, y: Any) -> Any:
    import jax.numpy as jnp

    return jnp.log1p((scores[:, :1] / (y + 1.0)) ** 2).mean()


# The law, words of its text, and a part of the line that it names.
BROKEN = {
    softmax_twice: ("loss/inputs", "applies softmax to them again", "jnp.log(jnp.exp("),
    softmax_twice_in_optax: ("loss/inputs", "applies softmax to them again", "optax.softmax"),
    softmax_over_the_batch: ("loss/inputs", "normalised along axis 0", "optax.softmax"),
    log_softmax_over_the_batch: ("loss/inputs", "normalised along axis 0", "axis=0)["),
    logarithm_of_a_softmax_over_the_batch: ("loss/inputs", "normalised along axis 0", "axis=0)["),
    a_softmax_by_hand_over_the_batch: ("loss/inputs", "normalised along axis 0", "sizes / sizes"),
    chances_of_a_batch_one_by_one: ("loss/inputs", "normalised along axis 0", "softmax(scores, a"),
    sigmoid_twice: ("loss/inputs", "applies a sigmoid to it", "optax.sigmoid"),
    quotient_of_column_and_row: (
        "loss/pairs",
        "each output meets the data of all samples",
        ":1] / (y",
    ),
    column_and_row: ("loss/pairs", "each output meets the data of all samples", ":1] - y)"),
}
