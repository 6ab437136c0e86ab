"""Rows that are known to be filled up, and the views of them that embeddings look up."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from symmetry.torch.modes.filled_rows import padding_of, see_batch, seeing_filled_rows

TEXTS = [torch.tensor(text) for text in ([5, 9, 2, 7], [8], [4, 3])]
PADDING = [[0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1]]


def padded(**options):
    with seeing_filled_rows():
        return pad_sequence(TEXTS, **options)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (lambda: padded(batch_first=True), PADDING),
        (lambda: padded(batch_first=True, padding_value=9), PADDING),
        (lambda: padded(batch_first=True)[:, 1:], [row[1:] for row in PADDING]),
        (lambda: padded(batch_first=True)[1:], PADDING[1:]),
        (lambda: padded().T, PADDING),
        (
            lambda: padded(batch_first=True, padding_side="left"),
            [row[::-1] for row in PADDING],
        ),
    ],
    ids=["rows", "another number", "next tokens", "a part", "time first, turned", "on the left"],
)
def test_padding_is_known_of_rows_and_their_views(tokens, expected):
    assert padding_of(tokens()).astype(int).tolist() == expected


@pytest.mark.parametrize(
    "tokens",
    [
        lambda: padded(),  # each of its rows holds one place of all texts
        lambda: padded(batch_first=True).clone(),
        lambda: padded(batch_first=True)[0],
        lambda: pad_sequence(TEXTS, batch_first=True),  # nothing sees it
    ],
    ids=["time first", "a copy", "one row", "unseen"],
)
def test_padding_of_other_tokens_is_not_known(tokens):
    assert padding_of(tokens()) is None


def test_a_batch_with_a_mask_says_what_padding_is():
    tokens = torch.tensor([[5, 9, 2, 7], [8, 0, 0, 0]])
    see_batch({"input_ids": tokens, "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]])})
    assert padding_of(tokens).astype(int).tolist() == PADDING[:2]
