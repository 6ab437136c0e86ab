"""The tokens that an attention mask hides in a batch, and batches in which others are hidden."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from symmetry.base.user_code import user_place
from symmetry.torch.watch.operations import Observer, Operation
from symmetry.training.texts import MaskedTexts
from symmetry.units.state import Array

_TOKENS = ("input_ids", "inputs_embeds")
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
    return _texts_of(batch).why_none_hidden()


def with_others_hidden(batch: Any) -> Any:
    """Return a batch with other tokens where its mask hides them: visible ones, words if it can."""
    changed, places = dict(batch), _texts_of(batch).replaced()
    if not places:
        return batch
    name, tokens = next(name for name in _TOKENS if _is_tensor(batch, name)), tokens_of(batch)
    changed[name] = tokens.clone()
    for place, other in places.items():
        changed[name][place] = tokens[other]
    return type(batch)(changed)


def _texts_of(batch: Mapping[str, Any]) -> MaskedTexts:
    """Return the texts of a batch and what its mask says, as arrays."""
    labels = _labels_of(batch)
    mask = _array(batch["attention_mask"]) != 0
    return MaskedTexts(_array(tokens_of(batch)), mask, None if labels is None else _array(labels))


def _array(tensor: Tensor) -> Array:
    exact = tensor.double() if tensor.is_floating_point() else tensor
    found: Array = exact.detach().cpu().numpy()
    return found


class PaddingClues(Observer):
    """Finds how a model may recognise padding without the mask, such as by the pad id.

    Attributes
    ----------
    found
        The clues, in words, and whether a sound model may recognise hidden tokens by them.
    """

    def __init__(self) -> None:
        self.found: dict[str, bool] = {}
        self._tokens: Tensor | None = None

    def see(self, batch: Any) -> None:
        """Look at a batch before its tokens are replaced."""
        self._tokens = tokens_of(with_others_hidden(batch))
        self.found |= _texts_of(batch).clues()

    def before(self, operation: Operation) -> None:
        """See a comparison of the tokens."""
        if operation.base not in ("eq", "ne") or self._tokens is None:
            return
        compared, known = operation.operands[0], self._tokens
        same = compared.shape == known.shape and not compared.is_floating_point()
        if same and bool((compared == known.to(compared.device)).all()):
            self.found[f"tokens are compared with a number ({user_place()})"] = True


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
