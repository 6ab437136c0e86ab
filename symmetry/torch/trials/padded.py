"""A padded row without its padding: the model has to return the same for its tokens.

Example: a row of two tokens in a batch of rows of four.

    tokens  . . 7 3    mask  0 0 1 1    alone, without padding    7 3
            5 2 8 4          1 1 1 1

Each argument with an axis of the places is cut as the tokens are. Positions that are given begin
at 0. First the row alone is compared with the row in its batch: where these differ, rows act on
each other by design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from symmetry.base.raised import in_one_line
from symmetry.torch.trials.first_calls import FirstCall, RunParts, at_first_loss
from symmetry.torch.trials.texts import TextCall
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.rows import PaddedCall
from symmetry.training.packing import (
    PADDING_INDEX,
    PADDING_TOKEN,
    Visible,
    tokens_of,
    visible_by_token,
    visible_of,
)

_ROWS = 3  # that are tried
_SAME = 1e-7  # of the largest entry, in float64


def padded(run: RunParts) -> list[PaddedCall]:
    """Take the next step up to its first loss; try its calls on rows without their padding."""
    found: list[PaddedCall] = []

    def use(calls: list[FirstCall], loss: Tensor) -> None:
        texts = [(text, visible) for text in map(TextCall, calls) if (visible := _visible(text))]
        first = [_predicts_first(loss, *each) for each in texts]
        run.model.eval()
        for each, predicts_first in zip(texts, first, strict=True):
            found.append(replace(_tried(*each), predicts_first=predicts_first))

    at_first_loss(run, use)
    return found


def _visible(text: TextCall) -> Visible | None:
    """Return the places that are no padding: by an argument, or by the model's own token."""
    arguments = text.arguments
    if not (name := tokens_of(arguments)):
        return None
    token = getattr(getattr(text.module, "config", None), PADDING_TOKEN, None)
    layers = (each for each in text.module.modules() if isinstance(each, nn.Embedding))
    index = {layer.padding_idx for layer in layers if layer.padding_idx is not None}
    return (
        visible_of(arguments, name)
        or visible_by_token(arguments, name, token)
        or visible_by_token(arguments, name, next(iter(index), None), PADDING_INDEX)
    )


def _predicts_first(loss: Tensor, text: TextCall, visible: Visible) -> bool:
    """Return whether padding is trained, but only where a text begins behind it."""
    seen = visible.places
    before = ~seen
    before[:, :-1] &= seen[:, 1:]
    before[:, -1] = False
    for output in tensors_in(text.call.output):
        if output.requires_grad and output.ndim > 2 and tuple(output.shape[:2]) == seen.shape:
            (slope,) = torch.autograd.grad(loss.sum(), output, retain_graph=True, allow_unused=True)
            if slope is not None:
                trained = slope.flatten(2).abs().amax(-1).cpu().numpy() > 0
                return bool(trained[before].any() and not trained[~seen & ~before].any())
    return False


def _tried(text: TextCall, visible: Visible) -> PaddedCall:
    """Return how a padded row differs from the same row without its padding."""
    call = text.call
    (short,) = np.nonzero(~visible.places.all(1))
    side = "right" if visible.places[short[0]][0] else "left"
    say = partial(PaddedCall, call.name, call.place, visible.known_by, side)
    call.module.eval()
    try:
        distances = [_distance(text, visible, int(row)) for row in short[:_ROWS]]
    except Exception as error:
        return say(why_not=f"for a row without its padding it raises {in_one_line(error)}")
    known = [distance for distance in distances if distance is not None]
    if not known:
        return say(why_not="its rows act on each other")
    layers = (nn.RNNBase, nn.modules.conv._ConvNd)
    reads_edges = any(isinstance(module, layers) for module in call.module.modules())
    return say(distance=max(known), reads_edges=reads_edges)


def _distance(text: TextCall, visible: Visible, row: int) -> float | None:
    """Return how a row without padding differs from the row; None if other rows act on it."""
    shape = visible.places.shape
    (places,) = np.nonzero(visible.places[row])
    with torch.no_grad():
        whole = _of_row(tensors_in(text.again()), row, shape, places)
        alone = tensors_in(text.again(partial(_cut, visible, row, None)))
        trimmed = tensors_in(text.again(partial(_cut, visible, row, places)))
    kept = _of_row(alone, 0, (1, shape[1]), places)
    own = _of_row(trimmed, 0, (1, len(places)), np.arange(len(places)))
    if _largest(whole, kept) > _SAME:
        return None
    return _largest(kept, own)


def _of_row(
    outputs: Sequence[Tensor], row: int, shape: tuple[int, ...], places: Any
) -> list[Tensor | None]:
    """Return the outputs of a row: those of some places, where there is one for each place."""
    found: list[Tensor | None] = []
    for output in outputs:
        if not output.is_floating_point() or not output.ndim or len(output) != shape[0]:
            found.append(None)
        elif output.ndim > 1 and output.shape[1] == shape[1]:
            found.append(output[row][places])
        else:
            found.append(output[row] if output.ndim <= 2 else None)
    return found


def _cut(visible: Visible, row: int, places: Any, name: str, tensor: Tensor) -> Tensor:
    """Return the part of an argument that belongs to a row, and to some of its places if given."""
    rows, length = visible.places.shape
    batched = tensor.ndim > 0 and len(tensor) == rows
    cut = tensor[row : row + 1] if batched else tensor
    if places is None:
        return cut.clone()
    if batched and cut.ndim == 1 and int(tensor[row]) == len(places) and name == visible.known_by:
        return cut.clone()
    for axis in _axes(cut, length, batched=batched):
        cut = cut.index_select(axis, torch.as_tensor(places, device=cut.device))
    positions = "position" in name and cut.ndim == 2 and not cut.is_floating_point()
    return cut - cut[:, :1] if positions else cut.clone()


def _axes(tensor: Tensor, length: int, *, batched: bool) -> list[int]:
    """Return the axes of an argument along which the places of a row lie."""
    shape = dict(enumerate(tensor.shape))
    if tensor.ndim == 4:  # a mask of attention: queries and keys
        return [axis for axis in (2, 3) if shape[axis] == length]
    if tensor.ndim > 1 and (batched or len(tensor) == 1):
        return [1] if shape[1] == length else []
    return [0] if shape.get(0) == length and not batched else []


def _largest(one: Sequence[Tensor | None], other: Sequence[Tensor | None]) -> float:
    """Return the largest difference of two outputs, by the largest entry of the first one."""
    largest = 0.0
    for a, b in zip(one, other, strict=False):
        if a is not None and b is not None and a.shape == b.shape and a.numel():
            scale = float(a.abs().max()) or 1.0
            largest = max(largest, float((a - b).abs().max()) / scale)
    return largest
