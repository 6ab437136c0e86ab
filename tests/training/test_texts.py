"""Tokens that a mask hides, as arrays of any framework."""

from __future__ import annotations

import numpy as np

from symmetry.training.texts import IGNORED, MaskedTexts, padding_by_mask, padding_by_number

TOKENS = np.array([[5, 9, 2, 7, 6], [8, 4, 3, 0, 0], [1, 5, 0, 0, 0]])
VISIBLE = TOKENS != 0


def test_hidden_places_get_visible_words_that_differ_from_what_is_there():
    others = MaskedTexts(TOKENS, VISIBLE).replaced()
    assert {*others} == {(1, 3), (1, 4), (2, 2), (2, 3), (2, 4)}
    assert all(VISIBLE[place] and TOKENS[place] != 0 for place in others.values())
    assert MaskedTexts(TOKENS, np.zeros_like(VISIBLE)).replaced() == {}


def test_embeddings_are_replaced_as_a_whole():
    vectors = np.stack([TOKENS, -TOKENS], -1)
    assert (
        MaskedTexts(vectors, VISIBLE).replaced().keys()
        == MaskedTexts(TOKENS, VISIBLE).replaced().keys()
    )


def test_labels_at_hidden_tokens_have_to_be_left_out():
    labels = np.where(VISIBLE, TOKENS, IGNORED)
    assert MaskedTexts(TOKENS, VISIBLE, labels).why_none_hidden() == ""
    assert "are not -100" in MaskedTexts(TOKENS, VISIBLE, TOKENS).why_none_hidden()
    everything = np.ones_like(VISIBLE)
    assert "hides nothing" in MaskedTexts(TOKENS, everything, labels).why_none_hidden()


def test_a_sound_model_may_see_a_label_beside_the_mask_but_no_hidden_first_place():
    assert MaskedTexts(TOKENS, VISIBLE).clues() == {}
    turned = MaskedTexts(TOKENS[:, ::-1], VISIBLE[:, ::-1], TOKENS[:, ::-1])
    assert sorted(turned.clues().values()) == [False, True]


def test_padding_is_certain_at_the_ends_of_rows_alone():
    assert (padding_by_mask(TOKENS, VISIBLE.astype(int)) == ~VISIBLE).all()
    assert padding_by_mask(TOKENS + np.arange(5), VISIBLE.astype(int)) is None
    number = padding_by_number(TOKENS, 0)
    assert number is not None
    assert number.sum() == 3  # without the first at each end
    assert padding_by_number(TOKENS, 5) is None
