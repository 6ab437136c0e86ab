"""The tokens that an attention mask hides in a batch, and batches in which others are hidden."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.torch.modes.callers import user_place

_TOKENS = ("input_ids", "inputs_embeds")
_IGNORED = -100  # the label that PyTorch's losses leave out
_LEFT = "tokens are hidden on the left, where a first position is pooled and a state begins"
NO_MASK = "no module of it takes an attention_mask"


def has_mask(batch: Any) -> bool:
    """Return whether a batch is a mapping with an attention mask."""
    return isinstance(batch, Mapping) and _is_tensor(batch, "attention_mask")


def why_none_hidden(batch: Any) -> str:
    """Say why it is not known which tokens of a batch its mask hides; nothing if it is known."""
    if not has_mask(batch):
        return NO_MASK
    mask, named = batch["attention_mask"], [name for name in _TOKENS if _is_tensor(batch, name)]
    if len(named) != 1 or mask.ndim != 2 or batch[named[0]].shape[:2] != mask.shape:
        return "its batch has no input_ids or inputs_embeds of the shape of its attention_mask"
    labels = _labels_of(batch)
    if labels is not None and bool((labels[mask == 0] != _IGNORED).any()):
        return f"its labels at hidden tokens are not {_IGNORED}"
    return "" if bool((mask == 0).any()) else "the attention_mask of its batch hides nothing"


def with_others_hidden(batch: Any) -> Any:
    """Return a batch with other tokens where its mask hides them: visible ones, words if it can."""
    mask, changed = batch["attention_mask"] != 0, dict(batch)
    name, tokens = next(name for name in _TOKENS if _is_tensor(batch, name)), tokens_of(batch)
    others = tokens[next((places for places in _words(batch) if bool(places.any())), mask)]
    if not len(others):
        return batch
    changed[name] = tokens.clone()
    for k, (row, column) in enumerate((~mask).nonzero().tolist()):
        places = range(k, k + len(others))  # the first that is not what is hidden there
        unlike = (others[p % len(others)] for p in places)
        changed[name][row, column] = next(
            (o for o in unlike if bool((o != tokens[row, column]).any())), others[k % len(others)]
        )
    return type(batch)(changed)


def _words(batch: Mapping[str, Any]) -> Iterator[Tensor]:
    """Yield the places of visible tokens that are words rather than marks, the surest first.

    The first and the last token of a row may be marks that a model looks for. Tokens that no label
    is for, or that every row has, may stand for images: a model may count them.
    """
    mask, tokens, labels = batch["attention_mask"] != 0, tokens_of(batch), _labels_of(batch)
    inner = mask.clone()
    for row, visible in zip(inner, mask, strict=True):
        places = visible.nonzero().ravel()
        if len(places) > 2:
            row[places[[0, -1]]] = False
    labelled = inner if labels is None else inner & (labels != _IGNORED)
    for places in (labelled, inner):
        if tokens.ndim == mask.ndim:
            rows = zip(tokens, mask, strict=True)
            everywhere = (torch.isin(tokens, row[visible]) for row, visible in rows)
            yield places & ~torch.stack(list(everywhere)).all(0)
        yield places


class PaddingClues(TorchDispatchMode):
    """Finds how a model may recognise padding without the mask, such as by the pad id.

    Attributes
    ----------
    found
        The clues, in words, and whether a sound model may recognise hidden tokens by them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, bool] = {}
        self._tokens: Tensor | None = None

    def see(self, batch: Any) -> None:
        """Look at a batch before its tokens are replaced."""
        mask, labels = batch["attention_mask"] != 0, _labels_of(batch)
        self._tokens = tokens_of(with_others_hidden(batch))
        if labels is not None:
            first = mask[:, 1:] & ~mask[:, :-1] & (labels[:, 1:] != _IGNORED)
            if bool(first.any()):
                self.found["the label of a first visible token stands next to a hidden one"] = True
        if not bool(mask[:, 0].all()):
            self.found[_LEFT] = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, known = func._schema.name.split("::")[1].rstrip("_"), self._tokens
        if name in ("eq", "ne") and known is not None and isinstance(args[0], Tensor):
            same = args[0].shape == known.shape and not args[0].is_floating_point()
            if same and bool((args[0] == known.to(args[0].device)).all()):
                self.found[f"tokens are compared with a number ({user_place()})"] = True
        return func(*args, **(kwargs or {}))


def tokens_of(batch: Mapping[str, Any]) -> Tensor:
    """Return the tokens of a batch, or their embeddings."""
    found: Tensor = batch[next(name for name in _TOKENS if _is_tensor(batch, name))]
    return found


def _labels_of(batch: Mapping[str, Any]) -> Tensor | None:
    """Return the labels of a batch, if there is one for each token."""
    labels = batch.get("labels")
    each = isinstance(labels, Tensor) and labels.shape == batch["attention_mask"].shape
    return labels if each else None


def _is_tensor(batch: Mapping[str, Any], name: str) -> bool:
    return isinstance(batch.get(name), Tensor)
