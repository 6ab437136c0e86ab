"""Losses at the padding of texts in JAX, judged by ``loss/padding``.

Padding is known by an attention mask, by another mask that a step is given or makes, by lengths, or
by the places of its number.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs, slow

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


def without_names(number: int, end: int | None = None) -> Any:
    """Return the same texts without a mask of a known name, but with their lengths."""
    batch = texts(number, end)
    seen = batch.pop("attention_mask")
    return {**batch, "seen": seen, "sizes": seen.sum(1).astype(np.int32)}


# How a step without an attention mask finds out which tokens are no padding.
MASKS = {
    "an input": lambda batch: batch["seen"],
    "a comparison": lambda batch: (batch["input_ids"] != 0).astype(np.int32),
    "numbers of NumPy": lambda batch: (batch["input_ids"] != 0) * np.ones(LENGTH),  # float64
    "lengths": lambda batch: (np.arange(LENGTH) < batch["sizes"][:, None]).astype(np.int32),
}


def training(
    labels: Any,
    mean: Any,
    *,
    attends: bool = True,
    end: int | None = None,
    mask_of: Any = None,
    hide: str = "mul",
    pool: Any = None,
) -> Any:
    """Return a training of a small model of texts: ``labels(batch)``, ``mean(each, mask)``.

    Without ``mask_of`` the batch has an attention mask; ``hide`` is how the mask is used. ``pool``
    is what is added to each token.
    """
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
            hidden = params["table"][batch["input_ids"]]
            mask = mask_of(batch) if mask_of else batch["attention_mask"]
            if attends:  # to earlier tokens that are seen
                causal = jnp.tril(jnp.ones((LENGTH, LENGTH)))
                hidden = hidden + mixed(hidden, causal, mask, hide)
            if pool:
                hidden = hidden + pool(batch, hidden)
            logits = jnp.tanh(hidden) @ params["head"]
            wanted = labels(batch)
            logits, mask = logits[:, : wanted.shape[1]], mask[:, -wanted.shape[1] :]
            each = optax.softmax_cross_entropy_with_integer_labels(logits, wanted)
            return mean(each, mask)

        value, gradients = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return params, step, {"batch": partial(without_names if mask_of else texts, end=end)}


def mixed(hidden: Any, causal: Any, mask: Any, hide: str) -> Any:
    """Return a mean of earlier tokens that are seen, or what attention to them returns."""
    import jax
    import jax.numpy as jnp

    if hide == "mul":
        weights = causal * mask[:, None, :]
        return jnp.einsum("bts,bsd->btd", weights, hidden) / weights.sum(-1, keepdims=True)
    if hide == "mean":  # of all tokens that are seen
        return (hidden * mask[..., None]).sum(1, keepdims=True) / mask.sum(1)[:, None, None]
    scores = hidden @ hidden.swapaxes(1, 2)
    if hide == "add":
        scores = scores + (1 - causal * mask[:, None, :]) * -1e9
    else:
        scores = jnp.where((causal > 0) & (mask[:, None, :] > 0), scores, -jnp.inf)
    return jax.nn.softmax(scores) @ hidden


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
    assert verdict.violation.line in range(
        training.__code__.co_firstlineno, mixed.__code__.co_firstlineno
    )


def test_padding_that_no_mask_hides_may_end_the_text():
    verdict, notes = judged(next_tokens, of_all, attends=False)
    assert verdict.kind == "holds"
    assert notes == {"loss/padding"}


def test_padding_that_no_mask_hides_is_a_fault_if_another_token_ends_texts():
    verdict, _ = judged(next_tokens, of_all, attends=False, end=1)
    assert verdict.kind == "violated"
    assert "they fill the rows up to one length" in verdict.message


def known_by(*args: Any, **options: Any) -> Any:
    """Return how the padding of a training is known, and which tokens it is."""
    from symmetry.training.losses import LossProbe
    from symmetry.training.run import RunSettings, needed

    target = FunctionTraining("training", partial(training, *args, **options))
    run = target.begin(RunSettings(dtype="float64", noise=False))
    with needed(run, LossProbe).observed() as found:
        return [(padded.known_by, padded.padding) for padded in found.padded]


@pytest.mark.parametrize(
    ("mask", "hide"),
    [
        ("an input", "mul"),
        ("a comparison", "mul"),
        ("a comparison", "where"),
        ("a comparison", "add"),
        ("a comparison", "mean"),
        ("numbers of NumPy", "mul"),
        ("lengths", "where"),
    ],
)
def test_padding_is_what_a_step_masks_whatever_the_names(mask, hide):
    ((how, padding),) = known_by(next_tokens, of_all, mask_of=MASKS[mask], hide=hide)
    assert how == "step"
    assert (padding == (np.arange(LENGTH) >= LENGTHS)).all()


def test_a_mask_of_other_tokens_says_nothing_of_these():
    """Padding may end the text in the one, and is masked in the other, of the same lengths."""

    def other_tokens(batch: Any) -> Any:
        return (batch["tags"] != 0).astype(np.int32)

    plain = known_by(next_tokens, of_all, mask_of=other_tokens)
    assert [how for how, _ in plain] == ["step"]
    looked_up = known_by(next_tokens, of_all, mask_of=other_tokens, pool=look_up_tags)
    assert [how for how, _ in looked_up] == ["ends", "step"]


def test_lengths_that_mask_nothing_leave_padding_out_of_the_loss_only():
    ((how, padding),) = known_by(next_tokens, of_visible, attends=False, mask_of=MASKS["lengths"])
    assert how == "lengths"
    assert (padding == (np.arange(LENGTH) >= LENGTHS)).all()


def test_a_number_that_only_fills_the_ends_of_rows_may_be_padding():
    ((how, padding),) = known_by(next_tokens, of_all, attends=False, mask_of=MASKS["an input"])
    assert how == "ends"
    assert (padding == (np.arange(LENGTH) > LENGTHS)).all()  # the first one may end the text


@pytest.mark.parametrize("labels", [next_tokens, slow(tags)])
@pytest.mark.parametrize("mask", ["a comparison", slow("lengths")])
def test_a_loss_that_counts_what_the_model_masks_is_violated(labels, mask):
    verdict, _ = judged(labels, of_all, mask_of=MASKS[mask], hide="where")
    assert verdict.kind == "violated"
    assert "(the model masks them)" in verdict.message
    assert verdict.message.endswith("Multiply the loss of each place by the mask")


@pytest.mark.parametrize("mean", [of_visible, slow(of_each_text)])
def test_a_loss_that_leaves_out_what_the_model_masks_holds(mean):
    verdict, notes = judged(next_tokens, mean, mask_of=MASKS["a comparison"], hide="where")
    assert (verdict.kind, notes) == ("holds", set())


@pytest.mark.parametrize("labels", [next_tokens, slow(tags)])
def test_padding_that_is_known_by_its_places_is_a_note(labels):
    mask_of = MASKS["an input"]
    verdict, notes = judged(labels, of_all, attends=False, end=1, mask_of=mask_of)
    assert (verdict.kind, notes) == ("holds", {"loss/padding"})


def look_up_tags(batch: Any, hidden: Any) -> Any:
    """Return the rows of a table that depends on parameters, for the tags."""
    return (hidden[0] * 2)[batch["tags"]]


def read_all_the_same(batch: Any, hidden: Any) -> Any:
    """Return a mean over all places, also over padding."""
    return hidden.mean(1, keepdims=True)


@pytest.mark.parametrize(("pool", "notes"), [(None, []), (read_all_the_same, ["training/padding"])])
def test_padding_that_the_model_masks_and_reads_all_the_same_has_a_note(pool, notes):
    from symmetry.invariants.training.padding import padding
    from symmetry.training.start import TrainingStart

    mask_of = MASKS["a comparison"]
    make = partial(training, next_tokens, of_visible, mask_of=mask_of, hide="where", pool=pool)
    found = padding(TrainingStart(FunctionTraining("training", make), "float64"))
    assert found.violation is None
    assert [note.name for note in found.notes] == notes
    for note in found.notes:
        assert "the model masks them somewhere" in note.text
        assert note.line in range(training.__code__.co_firstlineno, mixed.__code__.co_firstlineno)
