from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from symmetry import SymmetryError, check_loss

torch.manual_seed(0)
MASK = torch.ones(4, 6)
LOSSES = {"losses": torch.rand(4, 6), "mask": MASK}
PROMPTS = {**LOSSES, "mask": torch.cat((torch.zeros(4, 2), torch.ones(4, 4)), 1)}
LABELS = torch.randint(0, 7, (4, 6))
LABELS[0, 4:] = -100
TOKENS = {"logits": torch.randn(4, 6, 7), "labels": LABELS}
POLICY = {"logp": torch.randn(4, 6), "advantages": torch.randn(4), "response_mask": MASK}


def token_mean(losses, mask, items=None):
    return (losses * mask).sum() / (mask.sum() if items is None else items)


def sequence_mean(losses, mask):
    return ((losses * mask).sum(1) / mask.sum(1)).mean()


def next_token(logits, labels):
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def policy(logp, advantages, response_mask, *, length):
    """Return the loss of a policy, divided by the number of tokens or by a constant."""
    ratio = torch.exp(logp - logp.detach())
    terms = -torch.min(ratio, ratio.clamp(0.8, 1.2)) * advantages[:, None] * response_mask
    loss = (terms.sum(1) / length).mean() if length else terms.sum() / response_mask.sum()
    return loss, {"ratio": ratio.detach().mean()}


def classes(logits, labels):
    return nn.functional.cross_entropy(logits, labels)


def whole_tokens(parts, whole):
    return sum(token_mean(**part, items=whole["mask"].sum()) for part in parts)


@pytest.mark.parametrize(
    ("loss", "batch", "split"),
    [
        (token_mean, LOSSES, None),
        (token_mean, LOSSES, whole_tokens),
        (sequence_mean, PROMPTS, "mean"),
        (lambda losses, mask: (losses * mask).sum(), LOSSES, "sum"),
        (next_token, TOKENS, None),
        (next_token, {**TOKENS, "logits": TOKENS["logits"].bfloat16()}, None),
        (lambda losses, mask: token_mean(losses.half(), mask.half()).float(), LOSSES, None),
        (partial(policy, length=6), POLICY, "mean"),
        (classes, {"logits": torch.randn(4, 3), "labels": torch.tensor([0, 1, 2, 0])}, "mean"),
    ],
)
def test_sound_losses_pass(loss, batch, split):
    check_loss(loss, batch, split=split)
    assert not any(value.requires_grad for value in batch.values())


def test_the_text_says_which_relation_fails_by_how_much_and_the_smallest_case():
    with pytest.raises(AssertionError) as error:
        check_loss(token_mean, {**LOSSES, "losses": torch.arange(24.0).view(4, 6)}, split="mean")
    assert str(error.value) == (
        "micro-batches give another loss than their batch: as micro-batches of 1 sample it is "
        "3.25, not 4.33333; its gradient by losses differs by 0.5 of its size, and rounding "
        "explains 0.0001\n"
        "  smallest case: 2 samples (rows 0, 1) of 2 tokens, of which 0, 0 to 1 count"
    )


@pytest.mark.parametrize(
    ("loss", "batch", "split", "text"),
    [
        (lambda losses, mask: losses.mean(), LOSSES, None, "tokens that do not count"),
        (lambda losses, mask: (losses * mask)[:, -1].mean(), LOSSES, None, "do not count"),
        (
            lambda losses, mask: token_mean(losses, mask) + (losses - losses.detach()).mean(),
            LOSSES,
            None,
            "tokens that do not count: .*; its gradient by losses differs by",
        ),
        (
            lambda losses, mask: token_mean(losses, mask) + 1e-2 * losses[0, 0],
            PROMPTS,
            None,
            "the order of the samples: in the order 1, 0 ",
        ),
        (sequence_mean, LOSSES, "sum", "micro-batches give another loss"),
        (partial(policy, length=0), POLICY, "mean", "micro-batches give another loss"),
        (next_token, TOKENS, "mean", "micro-batches of 1 sample .*of 3 tokens"),
    ],
)
def test_losses_that_depend_on_what_must_not_matter_fail(loss, batch, split, text):
    with pytest.raises(AssertionError, match=f"(?s){text}"):
        check_loss(loss, batch, split=split)


def test_rows_whose_gradient_is_not_finite_are_left_out():
    losses = torch.rand(4, 6) + 0.1
    losses[0] = 0.0
    check_loss(lambda losses, mask: (losses.sqrt() * mask).sum(), {"losses": losses, "mask": MASK})


@pytest.mark.parametrize(
    ("loss", "batch", "options", "text"),
    [
        (token_mean, [MASK], {}, "the batch must be a mapping of tensors, not a list"),
        (token_mean, {"losses": MASK[:1]}, {}, r"at least two samples; they are losses \(1, 6\)"),
        (token_mean, LOSSES, {"split": "max"}, "split must be 'mean', 'sum' or a function, not"),
        (token_mean, LOSSES, {"padding": {"masks": 0}}, "the batch has no 'masks' of"),
        (lambda losses, mask: losses, LOSSES, {}, "the loss must be a scalar tensor, not a Tensor"),
        (lambda losses, mask: losses.sum() / 0, LOSSES, {}, "are not finite in any case: nothing"),
    ],
)
def test_a_mistake_is_one_line(loss, batch, options, text):
    with pytest.raises(SymmetryError, match=text):
        check_loss(loss, batch, **options)
