"""Module calls whose attention mask hides tokens: other tokens are put there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from symmetry.torch.batches.padding import PaddingClues, why_none_hidden, with_others_hidden
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls
from symmetry.training.texts import padding_by_mask

_MASK, _TOKENS = "attention_mask", "input_ids"


def takes_mask(model: nn.Module) -> bool:
    """Return whether a module of a model may be given an attention mask."""
    kinds = {type(module) for module in model.modules()}
    return any(_MASK in inspect.signature(kind.forward).parameters for kind in kinds)


class HiddenTokens:
    """Replaces the tokens that masks hide in the outermost module calls.

    A mask may say the opposite elsewhere: only equal tokens at the ends of rows are hidden ones.

    Parameters
    ----------
    model
        Its modules are called.
    clues
        The record of the arguments of these calls; None without one.

    Attributes
    ----------
    why_none
        Why no token was replaced by now; empty if one was.
    """

    def __init__(self, model: nn.Module, clues: PaddingClues | None) -> None:
        self.why_none = "no module of it is called with an attention_mask and input_ids"
        self._model, self._clues = model, clues

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Replace them while the block runs."""
        with ModuleCalls(self._model, before=self._before).hooked():
            yield

    def _before(self, call: ModuleCall) -> tuple[Any, Any] | None:
        given = call.named
        if not isinstance(given.get(_MASK), Tensor) or not isinstance(given.get(_TOKENS), Tensor):
            return None
        why = why_none_hidden(given)
        tokens, mask = given[_TOKENS].cpu().numpy(), given[_MASK].cpu().numpy()
        if not why and padding_by_mask(tokens, mask) is None:
            why = "it is not certain that its attention_mask hides padding"
        if why:
            self.why_none = self.why_none and why
            return None
        self.why_none = ""
        if self._clues is not None:
            self._clues.see(given)
        return call.with_argument(_TOKENS, with_others_hidden(given)[_TOKENS])
