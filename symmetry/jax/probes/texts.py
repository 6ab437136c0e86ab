"""The texts of a batch and the mask that hides some of their tokens.

A batch is a mapping, or a tuple with names, that has one of each: ``input_ids`` and
``attention_mask``, say. A ``padding_mask`` may say the opposite of an ``attention_mask``: it is
known by which tokens it hides, those that fill rows up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from symmetry.jax.made import is_array, is_number
from symmetry.jax.names import path_of
from symmetry.training.texts import MaskedTexts, padding_by_mask
from symmetry.units.state import Array

_TOKENS = ("input_ids", "inputs_embeds", "token_ids", "tokens", "inputs")
_MASKS = ("attention_mask", "padding_mask")
_LABELS = ("labels", "targets")
NO_MASK = "its batch has no attention_mask or padding_mask"


@dataclass(frozen=True)
class Found:
    """The texts of a batch."""

    texts: MaskedTexts  # the tokens, and what their mask says
    tokens: int  # the number of the leaf that holds the tokens, among the leaves of the batch
    mask: int  # the same of the mask


def texts_in(batch: Any) -> Found | str:
    """Return the texts of a batch, or say why its hidden tokens are not known."""
    named = _named(batch)
    mask = next((name for name in _MASKS if name in named), None)
    if mask is None:
        return NO_MASK
    visible = named[mask][1]
    alike = [
        name
        for name in _TOKENS
        if name in named and visible.ndim == 2 and named[name][1].shape[:2] == visible.shape
    ]
    if len(alike) != 1:
        return f"its batch has no tokens of the shape of its {mask}"
    number, tokens = named[alike[0]]
    if mask == "padding_mask":
        turned = next((m for m in (visible, ~(visible != 0)) if _hides_padding(tokens, m)), None)
        if turned is None:
            return "it is not certain that its padding_mask hides padding"
        visible = turned
    labels = next((named[name][1] for name in _LABELS if name in named), None)
    if labels is not None and labels.shape != visible.shape:
        labels = None
    return Found(MaskedTexts(tokens, visible != 0, labels), number, named[mask][0])


def with_others_hidden(batch: Any) -> Any:
    """Return a batch with other tokens where its mask hides them."""
    found = texts_in(batch)
    if isinstance(found, str):
        return batch
    leaves, tree = jax.tree.flatten(batch)
    changed = np.array(leaves[found.tokens])
    for place, other in found.texts.replaced().items():
        changed[place] = np.asarray(leaves[found.tokens])[other]
    leaves[found.tokens] = changed
    return jax.tree.unflatten(tree, leaves)


def place_among_arrays(batch: Any, leaf: int) -> int:
    """Return the number of a leaf of a batch among those that are arrays or numbers."""
    return sum(map(is_number, jax.tree.leaves(batch)[:leaf]))


def _named(batch: Any) -> Mapping[str, tuple[int, Array]]:
    """Return the arrays of a batch that have a name of their own, with the numbers of the leaves.

    A name that several have is left out.
    """
    keyed = jax.tree_util.tree_flatten_with_path(batch)[0]
    names = [path_of(keys)[-1] for keys, _ in keyed]
    return {
        name: (number, np.asarray(leaf))
        for number, (name, (_, leaf)) in enumerate(zip(names, keyed, strict=True))
        if names.count(name) == 1 and is_array(leaf)
    }


def _hides_padding(tokens: Array, mask: Array) -> bool:
    return tokens.ndim == mask.ndim and padding_by_mask(tokens, mask.astype(int)) is not None
