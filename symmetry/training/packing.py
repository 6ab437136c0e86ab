"""Rows of tokens: which of their places are documents of their own, and which are only padding.

Example: two rows of packed documents, known by positions that begin again.

    positions    0 1 2 3 0 1 2 0    documents    1 1 1 1 2 2 2 3
                 0 1 0 1 2 3 4 5                 1 1 2 2 2 2 2 2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symmetry.units.state import Array

Arguments = Mapping[str, Array]  # those of a call, by name
_TOKENS = ("input_ids", "ids", "tokens", "idx", "x", "src")
_NUMBERED = ("document", "documents", "document_ids", "doc", "doc_ids", "seq_idx")
_POSITIONS = ("position_ids", "positions", "position", "pos_ids", "pos", "input_pos")
_HIDING = (  # or the places of keys
    *("attention_mask", "attn_mask", "padding_mask", "pad_mask", "input_mask"),
    *("mask", "keep", "valid"),
)
_OTHER = ("label", "target", "pos", "mask", "type", "seq", "doc")  # integers that are no tokens
_SEVERAL = 2  # documents, or tokens of padding
# The token that says which places are padding: of a model's configuration, or of its embedding.
PADDING_TOKEN, PADDING_INDEX = "pad_token_id", "padding_idx"


@dataclass(frozen=True)
class Documents:
    """The documents in rows of tokens: a number for each place."""

    numbers: Array  # below 0 for padding
    known_by: str  # the name of an argument


@dataclass(frozen=True)
class Visible:
    """The places in rows of tokens that are no padding."""

    places: Array
    known_by: str  # the name of an argument, PADDING_TOKEN or PADDING_INDEX


def tokens_of(arguments: Arguments) -> str:
    """Return the name of the argument that holds tokens, or their vectors; empty if none does."""
    whole = [n for n, a in arguments.items() if a.ndim == 2 and _is_whole(a) and a.shape[1] > 1]
    known = [n for n in whole if n in _TOKENS]
    others = [n for n in whole if not any(word in n for word in _OTHER)]
    if known or others:
        return (known or sorted(others, key=lambda n: -int(arguments[n].max())))[0]
    vectors = (n for n, a in arguments.items() if a.ndim == 3 and a.dtype.kind == "f")
    return next(vectors, "")


def documents_of(
    arguments: Arguments, shape: tuple[int, int], visible: Visible | None
) -> Documents | None:
    """Return the documents of rows, if an argument says where they begin, and there are several."""
    for name, array in arguments.items():
        if (numbers := _by_name(name, array, shape)) is not None:
            return Documents(numbers, name)
    for name, array in arguments.items():
        rows = array[None] if array.shape == shape[1:] else array
        if name in _POSITIONS and _is_whole(array) and rows.shape in (shape, (1, shape[1])):
            positions = np.broadcast_to(rows, shape)
            hidden = positions if visible is None else np.where(visible.places, positions, 0)
            if _are_runs(hidden):
                return Documents((hidden == 0).cumsum(1), name)
    return None


def _by_name(name: str, array: Array, shape: tuple[int, int]) -> Array | None:
    """Return the documents that an argument is known by its name to hold."""
    if not _is_whole(array):
        return None
    if ("cu_seq" in name or "cu_len" in name) and shape[0] == 1 and _are_ends(array, shape[1]):
        found: Array = np.searchsorted(array[1:], np.arange(shape[1]), side="right")[None]
        return found
    numbered = name in _NUMBERED or ("attention_mask" in name and array.max(initial=0) > 1)
    if not numbered or array.shape != shape or len(np.unique(array[array >= 0])) < _SEVERAL:
        return None
    grows = (np.diff(array, axis=1) >= 0) | (array[:, 1:] <= 0)
    return array if grows.all() else None


def _are_ends(array: Array, places: int) -> bool:
    """Return whether numbers are the ends of several documents, from 0 on."""
    if array.ndim != 1 or len(array) <= _SEVERAL or (array[0], array[-1]) != (0, places):
        return False
    return bool((np.diff(array) >= 0).all())


def _are_runs(positions: Array) -> bool:
    """Return whether rows are runs 0, 1, 2, ... of several lengths: equal ones may be a grid."""
    steps = np.diff(positions, axis=1)
    if (positions[:, 0] != 0).any() or not ((steps == 1) | (positions[:, 1:] == 0)).all():
        return False
    lengths = [np.diff(np.flatnonzero(np.append(row, 0) == 0)) for row in positions]
    real = [[n for n in row if n > 1] for row in lengths]
    inner = {n for row in lengths for n in row[:-1] if n > 1}
    return any(len(row) > 1 for row in real) and len(inner) > 1


def visible_of(arguments: Arguments, tokens: str) -> Visible | None:
    """Return the places of rows that are no padding, if a mask or lengths say so.

    Padding is at one end of a row, and filled with one token.
    """
    rows, places = arguments[tokens].shape[:2]
    for name, array in arguments.items():
        found = None
        if array.shape == (rows, places) and (name in _HIDING or "key_padding" in name):
            found = _by_mask(array, hides="key_padding" in name)
        elif array.shape == (rows,) and _is_whole(array) and rows > 1 and array.max() == places:
            found = np.arange(places) < array[:, None] if 0 < array.min() < places else None
        if found is not None and _is_filled(arguments[tokens][~found]):
            return Visible(found, name)
    return None


def visible_by_token(
    arguments: Arguments, tokens: str, padding: int | None, known_by: str = PADDING_TOKEN
) -> Visible | None:
    """Return the places of rows that do not hold the token of padding, if nothing hides it.

    It is at one end of each row, several times in one of them.
    """
    array = arguments[tokens]
    if padding is None or array.ndim != 2 or any(name in _HIDING for name in arguments):
        return None
    found = _by_mask((array != padding).astype(int), hides=False)
    if found is None or (~found).sum(1).max() < _SEVERAL:
        return None
    return Visible(found, known_by)


def _by_mask(mask: Array, *, hides: bool) -> Array | None:
    """Return what a mask shows; None if it hides nothing, or something within a row."""
    if set(np.unique(mask).tolist()) != {0, 1}:
        return None
    seen: Array = mask == 0 if hides else mask != 0
    changes = (np.diff(seen.astype(int), axis=1) != 0).sum(1)
    return seen if seen.any(1).all() and changes.max() <= 1 else None


def _is_filled(hidden: Array) -> bool:
    return bool((hidden == hidden[0]).all())


def _is_whole(array: Array) -> bool:
    return array.dtype.kind in "iu"
