"""Sound trainings on texts that are filled up; no loss counts padding, or none is known as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import plain

_PADDING = "loss/padding"
END = 2  # the token that ends a text
_LENGTHS = torch.tensor([7, 3, 5, 4, 2, 6])

Texts = tuple[Tensor, Tensor, Tensor]


def texts(i: int, *, ends: bool = False, pad: int = 0) -> Texts:
    """Return tokens from 3 to 10, labels from 1 to 4, and which of them are texts: (6, 7)."""
    words = 3 + torch.arange(42 + i)[i:].reshape(6, 7) * 5 % 8
    mask = torch.arange(7) < _LENGTHS[:, None]
    if ends:
        words[torch.arange(6), _LENGTHS - 1] = END
    return words * mask + pad * ~mask, (words % 4 + 1) * mask, mask


class Reader(nn.Module):
    """Reads forwards: it gives each token scores of ``classes``."""

    def __init__(self, classes: int, padding_idx: int | None = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 8, padding_idx=padding_idx)
        self.read = nn.GRU(8, 8, batch_first=True)
        self.out = nn.Linear(8, classes)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        found = self.embed(ids)
        if attention_mask is not None:
            found = found * attention_mask[..., None]
        scores: Tensor = self.out(self.read(found)[0])
        return scores


def reading(model: nn.Module, loss: Callable[[int], Tensor]) -> Any:
    """Return a training of a reader."""
    return plain(model, torch.optim.SGD(model.parameters(), 0.1), loss)


def tagging(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Any:
    """Return a training that gives each token a tag; ``loss(scores, tags, mask)``."""
    model = Reader(5)

    def of(i: int) -> Tensor:
        ids, tags, mask = texts(i)
        return loss(model(ids), tags, mask)

    return reading(model, of)


def speaking(loss: Callable[[Tensor, Tensor], Tensor], *, ends: bool, masked: bool = False) -> Any:
    """Return a training of a language model; ``loss(scores, next tokens)``."""
    model = Reader(12, None if masked else 0)

    def of(i: int) -> Tensor:
        ids, _, mask = texts(i, ends=ends)
        scores = model(ids[:, :-1], mask[:, :-1] if masked else None)
        return loss(scores.flatten(0, 1), ids[:, 1:].flatten())

    return reading(model, of)


@nearly(_PADDING)
def padding_is_ignored() -> Any:
    return tagging(lambda out, tags, _: F.cross_entropy(out.mT, tags, ignore_index=0))


@nearly(_PADDING)
def losses_at_padding_are_masked() -> Any:
    def loss(out: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        each = F.cross_entropy(out.mT, tags, reduction="none")
        return (each * mask).sum() / mask.sum()

    return tagging(loss)


@nearly(_PADDING)
def outputs_at_padding_are_left_out() -> Any:
    return tagging(lambda out, tags, mask: F.cross_entropy(out[mask], tags[mask]))


@nearly(_PADDING)
def label_of_padding_weighs_nothing() -> Any:
    weights = torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0])
    return tagging(lambda out, tags, _: F.cross_entropy(out.mT, tags, weight=weights))


@nearly(_PADDING)
def next_tokens_but_padding() -> Any:
    return speaking(lambda out, y: F.cross_entropy(out, y, ignore_index=0), ends=True)


@nearly(_PADDING)
def texts_are_filled_up_on_the_left() -> Any:
    """The label of the last padding is the token that begins each text."""
    model = Reader(12, None)

    def of(i: int) -> Tensor:
        ids, _, mask = (each.flip(1) for each in texts(i))
        ids[torch.arange(6), 7 - _LENGTHS] = 1
        labels = ids.masked_fill(~mask, -100)
        scores = model(ids[:, :-1], mask[:, :-1])
        return F.cross_entropy(scores.flatten(0, 1), labels[:, 1:].flatten())

    return reading(model, of)


@nearly(_PADDING)
def texts_are_classified() -> Any:
    """There are as many outputs as texts."""
    model = Reader(4)

    def of(i: int) -> Tensor:
        ids, tags, mask = texts(i)
        last = model(ids)[torch.arange(6), mask.sum(1) - 1]
        return F.cross_entropy(last, tags[:, 0] - 1)

    return reading(model, of)


@nearly(_PADDING, "not applicable")
def same_token_ends_each_text() -> Any:
    """It is the padding_idx, but each text has it once: none is filled up."""
    model = Reader(5)

    def of(i: int) -> Tensor:
        ids, tags, _ = texts(i)
        whole = torch.cat((ids.clamp(min=3), ids.new_zeros(6, 1)), 1)
        labels = torch.cat((tags.clamp(min=1), tags[:, :1]), 1)
        return F.cross_entropy(model(whole).mT, labels)

    return reading(model, of)
