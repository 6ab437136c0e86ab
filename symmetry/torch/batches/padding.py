"""The tokens that an attention mask hides in a batch or a module call, and others there."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from symmetry.base.user_code import user_place
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls
from symmetry.torch.watch.operations import Observer, Operation
from symmetry.training.texts import MaskedTexts, padding_by_mask
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
    """Finds how a model may recognise padding without the mask, such as by the pad id."""

    def __init__(self) -> None:
        # The clues, in words, and whether a sound model may recognise hidden tokens by them.
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


def takes_mask(model: nn.Module) -> bool:
    """Return whether a module of a model may be given an attention mask."""
    kinds = {type(module) for module in model.modules()}
    return any("attention_mask" in inspect.signature(kind.forward).parameters for kind in kinds)


class HiddenTokens:
    """Replaces the tokens that masks hide in the outermost module calls.

    A mask may say the opposite elsewhere: only equal tokens at the ends of rows are hidden ones.

    Parameters
    ----------
    model
        Its modules are called.
    clues
        The record of the arguments of these calls; None without one.
    """

    def __init__(self, model: nn.Module, clues: PaddingClues | None) -> None:
        # Why no token was replaced by now; empty if one was.
        self.why_none = "no module of it is called with an attention_mask and input_ids"
        self._model, self._clues = model, clues

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Replace them while the block runs."""
        with ModuleCalls(self._model, before=self._before).hooked():
            yield

    def _before(self, call: ModuleCall) -> tuple[Any, Any] | None:
        given = call.named
        if not (has_mask(given) and _is_tensor(given, "input_ids")):
            return None
        why = why_none_hidden(given)
        tokens, mask = given["input_ids"].cpu().numpy(), given["attention_mask"].cpu().numpy()
        if not why and padding_by_mask(tokens, mask) is None:
            why = "it is not certain that its attention_mask hides padding"
        if why:
            self.why_none = self.why_none and why
            return None
        self.why_none = ""
        if self._clues is not None:
            self._clues.see(given)
        return call.with_argument("input_ids", with_others_hidden(given)["input_ids"])
