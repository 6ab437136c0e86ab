"""Which places of rows are documents of their own, and which are padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.training.packing import documents_of, tokens_of, visible_by_token, visible_of

LENGTHS = st.lists(st.integers(2, 5), min_size=3, max_size=6).filter(lambda x: len({*x[:-1]}) > 1)
TOKENS = np.arange(12).reshape(2, 6) + 5


def runs(lengths):
    return np.concatenate([np.arange(n) for n in lengths])[None]


def numbered(lengths):
    return np.repeat(np.arange(len(lengths)), lengths)[None]


@given(LENGTHS)
def test_all_that_says_where_documents_begin_says_the_same(lengths):
    length = sum(lengths)
    ends = np.cumsum([0, *lengths])
    for arguments in (
        {"position_ids": runs(lengths)},
        {"seq_idx": numbered(lengths)},
        {"attention_mask": numbered(lengths) + 1},
        {"cu_seqlens": ends},
    ):
        found = documents_of(arguments, (1, length), None)
        assert found.known_by in arguments
        assert (np.diff(found.numbers) == np.diff(numbered(lengths))).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"position_ids": runs([3, 3, 3, 3])},  # a grid of patches
        {"position_ids": np.arange(12)[None]},
        {"position_in_bar": runs([3, 4, 5])},  # of music, say
        {"token_type_ids": numbered([5, 7])},
        {"segment_ids": numbered([5, 7])},
        {"attention_mask": (numbered([5, 7]) > 0).astype(int)},
        {"seq_idx": np.zeros((1, 12), int)},
        {"document_ids": -numbered([5, 7])},  # one, and padding
        {"seq_idx": numbered([5, 7])[:, ::-1] + 1},
        {"cu_seqlens": np.array([0, 12])},
        {"position_ids": runs([3, 4, 5]).astype(float)},
    ],
)
def test_nothing_else_does(arguments):
    assert documents_of(arguments, (1, 12), None) is None


def test_documents_may_be_numbered_with_less_than_zero_for_padding():
    numbers = np.concatenate([numbered([3, 4]), [[-1, -1]]], axis=1)
    found = documents_of({"document_ids": numbers}, (1, 9), None)
    assert found.known_by == "document_ids"
    assert (found.numbers == numbers).all()


def test_positions_of_padding_begin_no_document():
    seen = visible_of({"mask": np.array([[0, 0, 1, 1, 1, 1]] * 2), "ids": TOKENS * 0}, "ids")
    positions = np.array([[0, 0, 0, 1, 2, 3]] * 2)
    assert documents_of({"position_ids": positions}, (2, 6), seen) is None


def test_tokens_are_known_by_their_name_or_as_the_largest_numbers():
    labels, types = TOKENS + 9, TOKENS % 2
    assert tokens_of({"labels": labels, "input_ids": TOKENS}) == "input_ids"
    assert tokens_of({"types": types, "words": TOKENS, "mask": types}) == "words"
    assert tokens_of({"labels": labels}) == ""
    assert tokens_of({"frames": np.zeros((2, 6, 3))}) == "frames"


FILLED = np.array([[5, 6, 7, 8, 9, 4], [3, 2, 1, 0, 0, 0]])
MASK = (FILLED > 0).astype(int)


@pytest.mark.parametrize(
    "argument",
    [
        {"attention_mask": MASK},
        {"key_padding_mask": MASK == 0},
        {"lengths": np.array([6, 3])},
        {"mask": MASK.astype(float)},
        {"keep": MASK > 0},
    ],
)
def test_padding_is_known_by_a_mask_or_by_lengths(argument):
    seen = visible_of({"ids": FILLED, **argument}, "ids")
    assert (seen.places == (FILLED > 0)).all()
    assert seen.known_by in argument


@pytest.mark.parametrize(
    "arguments",
    [
        {"ids": TOKENS, "attention_mask": MASK},  # it hides several tokens: a prompt, say
        {"ids": FILLED, "loss_mask": MASK},
        {"ids": FILLED, "attention_mask": np.ones_like(MASK)},
        {"ids": FILLED, "attention_mask": np.array([[1, 0, 1, 0, 1, 1]] * 2)},
        {"ids": FILLED, "lengths": np.array([6, 6])},
        {"ids": FILLED, "counts": np.array([5, 3])},
    ],
)
def test_no_other_argument_says_what_is_padding(arguments):
    assert visible_of(arguments, "ids") is None


@pytest.mark.parametrize(
    ("rows", "padding", "known"),
    [
        ([[5, 6, 0, 0], [7, 5, 6, 8]], 0, True),
        ([[0, 0, 5, 6], [7, 5, 6, 8]], 0, True),
        ([[5, 6, 7, 0], [7, 5, 6, 0]], 0, False),  # an end of each text, perhaps
        ([[5, 0, 0, 6], [7, 5, 6, 8]], 0, False),  # a token like others
        ([[5, 6, 0, 0], [7, 5, 6, 8]], None, False),
        ([[5, 6, 1, 1], [7, 5, 6, 8]], 0, False),
    ],
)
def test_padding_is_known_by_the_models_own_token(rows, padding, known):
    found = visible_by_token({"input_ids": np.array(rows)}, "input_ids", padding)
    assert (found is not None) == known


def test_a_mask_says_it_where_there_is_one():
    arguments = {"input_ids": np.array([[5, 6, 0, 0], [7, 5, 6, 8]])}
    masked = {**arguments, "attention_mask": np.ones((2, 4), int)}
    assert visible_by_token(masked, "input_ids", 0) is None
