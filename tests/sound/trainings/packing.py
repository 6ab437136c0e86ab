"""Trainings on rows of several documents, and on rows with padding before their text."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import plain

WORDS, LENGTH, WIDTH = 20, 12, 16
CUTS = ([5, 3, 4], [4, 6, 2], [3, 3, 6], [7, 2, 3])  # lengths of the documents of each row


class Decoder(nn.Module):
    """A layer of attention within each document, or within a whole row if it ``leaks``.

    It ``joins`` the rows to one to look up their tokens.
    """

    def __init__(self, *, leaks: bool = False, joins: bool = False) -> None:
        super().__init__()
        self.joins = joins
        self.tokens, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out, self.head, self.leaks = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WORDS), leaks

    def forward(self, input_ids: Tensor, position_ids: Tensor) -> Tensor:
        documents = (position_ids == 0).cumsum(1)
        mask = (documents[:, :, None] == documents[:, None]).tril()
        if self.leaks:
            mask = torch.ones_like(mask).tril()
        looked_up = self.tokens(input_ids.flatten()) if self.joins else self.tokens(input_ids)
        x = looked_up.view(*input_ids.shape, -1) + self.places(position_ids)
        found = F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x), attn_mask=mask)
        return self.head(x + self.out(found))


def packed(
    *, leaks: bool = False, crosses: bool = False, context: bool = False, joins: bool = False
) -> Any:
    """Return a training; the first document of a row may be the ``context`` of the others."""
    model = Decoder(leaks=leaks, joins=joins)
    positions = torch.stack([torch.cat([torch.arange(n) for n in cuts]) for cuts in CUTS])

    def loss(i: int) -> Tensor:
        ids = torch.randint(WORDS, positions.shape, generator=torch.Generator().manual_seed(i))
        labels = ids if crosses else ids.masked_fill(positions == 0, -100)
        if context:
            last = (positions == 0).cumsum(1) == len(CUTS[0])
            labels = labels.masked_fill(~last, -100)
        return F.cross_entropy(model(ids, positions)[:, :-1].mT, labels[:, 1:])

    return plain(model, torch.optim.SGD(model.parameters(), 0.1), loss)


@nearly("model/documents")
def documents_under_a_mask() -> Any:
    return packed()


@nearly("model/documents", "vacuous")
def source_and_target_in_a_row() -> Any:
    return packed(leaks=True, context=True)


@nearly("loss/documents")
def first_tokens_without_labels() -> Any:
    return packed()


class Reader(nn.Module):
    """Adds up what comes before each token; positions are counted from the left if ``wrong``.

    If it ``shows`` each token to itself, the padding before a text predicts its first token.
    Without a mask, what is no padding is known ``inside``.
    """

    def __init__(
        self, *, wrong: bool, layer: nn.Module, shows: bool = False, inside: bool = False
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(WORDS, WIDTH, padding_idx=0 if inside else None)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.layer, self.head = layer, nn.Linear(WIDTH, WORDS)
        self.wrong, self.shows = wrong, shows

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        if attention_mask is None:
            attention_mask = (input_ids != 0).long()
        places = (attention_mask.cumsum(1) - 1).clamp(min=0)
        if self.wrong:
            places = torch.arange(input_ids.shape[1]).expand_as(input_ids)
        own = self.tokens(input_ids) + self.places(places)
        x = own * attention_mask[..., None]
        made = self.layer(x)
        before = made[0] if isinstance(made, tuple) else made.cumsum(1)
        return self.head(own + before if self.shows else before)


def padded(
    *,
    wrong: bool = False,
    layer: nn.Module | None = None,
    shows: bool = False,
    inside: bool = False,
) -> Any:
    """Return a training on texts of several lengths, with padding before them."""
    model = Reader(
        wrong=wrong,
        layer=nn.Linear(WIDTH, WIDTH, bias=False) if layer is None else layer,
        shows=shows,
        inside=inside,
    )
    lengths = torch.tensor([LENGTH, 5, 8, 3])
    mask = (torch.arange(LENGTH) >= LENGTH - lengths[:, None]).long()

    def given(ids: Tensor) -> tuple[Tensor, ...]:
        return (ids,) if inside else (ids, mask)

    def loss(i: int) -> Tensor:
        random = torch.Generator().manual_seed(i)
        ids = torch.randint(1, WORDS, mask.shape, generator=random) * mask
        labels = ids.masked_fill(mask == 0, -100)
        return F.cross_entropy(model(*given(ids))[:, :-1].mT, labels[:, 1:])

    return plain(model, torch.optim.SGD(model.parameters(), 0.1), loss)


@nearly("training/padding")
def places_counted_from_the_first_token() -> Any:
    return padded()


@nearly("training/padding", "vacuous")
def first_tokens_predicted_from_padding() -> Any:
    return padded(shows=True)


@nearly("training/padding", note="training/padding")
def state_that_reads_padding() -> Any:
    return padded(layer=nn.GRU(WIDTH, WIDTH, batch_first=True))
