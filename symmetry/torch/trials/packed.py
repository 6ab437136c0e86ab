"""Whether a document of a packed row acts on another one, or is trained to predict it.

Example: two documents in a row, and the gradient of a random projection of the second one's outputs
at the embeddings of all tokens. Attention that is only causal lets the first document act on it:

    tokens      a b c d | e f g
    gradient    3 1 2 2 | 5 6 4     with a mask of documents: 0 0 0 0 | 5 6 4

The labels are those at which the gradient of the training's own loss is lowest: a loss makes the
score of its label larger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from symmetry.base.raised import in_one_line
from symmetry.observe.source_line import users_line
from symmetry.torch.trials.first_calls import FirstCall, RunParts, at_first_loss
from symmetry.torch.trials.mixing import operations_of
from symmetry.torch.trials.texts import TextCall
from symmetry.torch.watch.calls import hooked
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.rows import PackedCall
from symmetry.training.mixing import Performed
from symmetry.training.packing import Documents, documents_of, tokens_of, visible_of
from symmetry.units.compare import unequal
from symmetry.units.state import Array

_MOST = 16  # documents of a row whose influence is measured
_HITS = 0.9  # of the places within documents that predict the next token
_FEWEST = 3  # tokens of a document that is trained within


def packed(run: RunParts) -> list[PackedCall]:
    """Take the next step up to its first loss; try its calls on rows of several documents."""
    found: list[PackedCall] = []

    def use(calls: list[FirstCall], loss: Tensor) -> None:
        rows = [each for call in calls if (each := _rows_of(call)) is not None]
        gradients = [_gradient(loss, each) for each in rows]
        run.model.eval()
        for each, gradient in zip(rows, gradients, strict=True):
            found.append(_tried(each, gradient))

    at_first_loss(run, use)
    return found


@dataclass(frozen=True)
class _Rows:
    """A call on rows of several documents."""

    text: TextCall
    name: str  # of the argument that holds its tokens
    tokens: Tensor
    documents: Documents
    visible: Array

    @property
    def numbers(self) -> Tensor:
        """The number of the document at each place."""
        return torch.as_tensor(self.documents.numbers.astype(np.int64))

    def outputs(self, value: Any) -> Tensor | None:
        """Return the first numbers in a value that belong to the places of these rows."""
        shape = tuple(self.tokens.shape)
        for tensor in tensors_in(value):
            rows = tensor[None] if shape[0] == 1 and tensor.shape[:1] == shape[1:] else tensor
            if tensor.is_floating_point() and rows.ndim > 2 and tuple(rows.shape[:2]) == shape:
                return tensor
        return None


def _rows_of(call: FirstCall) -> _Rows | None:
    text = TextCall(call)
    arguments = text.arguments
    name = tokens_of(arguments)
    if not name or arguments[name].ndim != 2:
        return None
    shape = arguments[name].shape
    visible = visible_of(arguments, name)
    documents = documents_of(arguments, (shape[0], shape[1]), visible)
    if documents is None:
        return None
    seen = documents.numbers >= 0
    seen = seen if visible is None else seen & visible.places
    return _Rows(text, name, text.tensor(name), documents, seen)


def _gradient(loss: Tensor, rows: _Rows) -> Array | None:
    """Return the gradient of the training's loss at a call's outputs, (rows, places, classes)."""
    outputs = rows.outputs(rows.text.call.output)
    if outputs is None or not outputs.requires_grad:
        return None
    (found,) = torch.autograd.grad(loss.sum(), outputs, retain_graph=True, allow_unused=True)
    if found is None:
        return None
    array: Array = found.detach().cpu().double().numpy().reshape(*rows.tokens.shape, -1)
    return array


def _tried(rows: _Rows, gradient: Array | None) -> PackedCall:
    """Return what the documents of a call do to each other, and what they are trained on."""
    call = rows.text.call
    known = PackedCall(call.name, call.place, rows.documents.known_by)
    if gradient is None:
        return replace(known, why_not="no loss depends on outputs of each token")
    known = _with_labels(known, rows, gradient)
    call.module.eval()
    try:
        slopes = _slopes(rows)
    except Exception as error:
        return replace(known, why_not=f"in evaluation mode it raises {in_one_line(error)}")
    if slopes is None:
        return replace(known, why_not="its tokens are looked up in no nn.Embedding")
    leaks = {d: _leak(rows, d, slope) for d, slope in slopes.items()}
    worst = max(leaks, key=lambda d: leaks[d][0])
    leak, row = leaks[worst]
    known = replace(known, leak=leak)
    first = _first(rows, worst, row) if leak else None
    if first is None:
        return known
    # A library's operation is at the line that calls the backward: the call is repeated there.
    place = None if first.place == users_line() else first.place
    return replace(known, first=first.name, first_at=place)


def _with_labels(known: PackedCall, rows: _Rows, gradient: Array) -> PackedCall:
    """Return how many documents are trained within, and how many to predict the next one."""
    tokens = rows.tokens.cpu().numpy()
    live = np.abs(gradient).max(-1) > 0
    documents = trained = boundaries = crossing = hits = inner = 0
    first = set()  # tokens of the next documents
    lowest = gradient.argmin(-1)
    for row, own in _documents(rows):
        end = own[-1]
        documents += len(own) >= _FEWEST
        trained += len(own) >= _FEWEST and bool(live[row, own[:-1]].any())
        next_tokens = tokens[row, own[:-1] + 1]
        inner += int(live[row, own[:-1]].sum())
        hits += int((live[row, own[:-1]] & (lowest[row, own[:-1]] == next_tokens)).sum())
        boundaries += 1
        first.add(int(tokens[row, end + 1]))
        crossing += bool(live[row, end] and lowest[row, end] == tokens[row, end + 1])
    decodes = gradient.shape[-1] > tokens.max() and inner and hits > _HITS * inner
    known = replace(known, documents=documents, trained=trained)
    if not decodes or len(first) == 1:  # a mark that begins each document follows by no chance
        return known
    return replace(known, boundaries=boundaries, crossing=crossing)


def _documents(rows: _Rows) -> Iterator[tuple[int, Array]]:
    """Yield row and places of each document behind which another one begins."""
    for row, numbers in enumerate(rows.documents.numbers):
        for number in np.unique(numbers):
            (own,) = np.nonzero(numbers == number)
            seen = rows.visible[row, own[0] : own[-1] + 2]
            if 1 < len(own) == len(seen) - 1 and seen.all():
                yield row, own


def _slopes(rows: _Rows) -> dict[int, Array] | None:
    """Return by document how its outputs depend on each token of all rows."""
    vectors: list[Tensor] = []

    def look_up(_: nn.Module, given: Any, _kwargs: Any, made: Tensor) -> Tensor | None:
        if not (given and isinstance(given[0], Tensor)):
            return None
        if not torch.equal(given[0].long().flatten(), rows.tokens.long().flatten()):
            return None  # rows may be joined to one
        vectors.append(made.detach().requires_grad_())
        return vectors[-1]

    layers = (layer for layer in rows.text.module.modules() if isinstance(layer, nn.Embedding))
    with hooked(layers, leave=look_up), torch.enable_grad():
        outputs = rows.outputs(rows.text.again())
    if not vectors or outputs is None or not outputs.requires_grad:
        return None
    outputs = outputs.reshape(*rows.tokens.shape, -1)
    random = torch.Generator().manual_seed(0)
    weights = torch.randn(outputs.shape, generator=random, dtype=outputs.dtype).to(outputs)
    found = {}
    numbers = np.unique(rows.documents.numbers)
    for number in numbers[numbers >= 0][:_MOST].tolist():
        own = (rows.numbers == number)[..., None].to(outputs.device)
        projected = (outputs * weights * own).sum()
        (slope,) = torch.autograd.grad(projected, vectors[:1], retain_graph=True)
        found[number] = slope.abs().amax(-1).reshape(rows.tokens.shape).cpu().numpy()
    return found


def _leak(rows: _Rows, number: int, slope: Array) -> tuple[float, int]:
    """Return the largest influence of other documents, relative to its own, and the row."""
    own = rows.documents.numbers == number
    several = own.sum(1) > 1
    scale = slope[own].max(initial=0.0)
    if not scale or not several.any():
        return 0.0, 0
    others = np.where(own | ~rows.visible | ~several[:, None], 0.0, slope)
    row = int(others.max(1).argmax())
    return float(others.max() / scale), row


def _first(rows: _Rows, number: int, row: int) -> Performed | None:
    """Return the first operation whose results in a document depend on others in its row."""
    numbers = rows.numbers[row]
    other = rows.tokens.clone()
    places = numbers != number
    other[row, places] = rows.tokens[row, places].flip(0)

    def changed(name: str, tensor: Tensor) -> Tensor:
        return other.clone() if name == rows.name else tensor.clone()

    with torch.no_grad():
        as_it_is = operations_of(rows.text.again)
        with_other = operations_of(lambda: rows.text.again(changed))
    for one, two in zip(as_it_is, with_other, strict=False):
        for a, b in zip(one.results, two.results, strict=False):
            if a is None or b is None or a.shape != b.shape or a.dtype.kind != "f":
                continue
            axes = [axis for axis, length in enumerate(a.shape) if length == len(numbers)]
            if len(axes) == 1:
                where = unequal(a, b).swapaxes(axes[0], 0)
                if where[(~places).numpy()].any():
                    return one
    return None
