"""The batches that steps of a run are given: as they are, rearranged, or hiding other tokens.

An attention mask hides tokens in a batch or a module call; other tokens are put there.
"""

from __future__ import annotations

import inspect
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from symmetry.base.randomness import generators
from symmetry.base.randomness.generators import RandomStates
from symmetry.base.user_code import user_place
from symmetry.torch.labels import labels_of_rows, samples_along
from symmetry.torch.modes.draws import SampleDraws
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.objects import Objects, generators_of
from symmetry.torch.raising import readable
from symmetry.torch.script.script import ScriptStep
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls
from symmetry.torch.watch.operations import Observer, Operation, Recorder, tensors_in
from symmetry.training.capabilities.batching import (
    Accumulating,
    Doubt,
    Padding,
    Reordering,
    Thinning,
    Window,
)
from symmetry.training.run import RunSettings
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
    # Not asked for as an attribute: the class of a compiled module has none without an instance.
    forwards = (inspect.getattr_static(kind, "forward") for kind in kinds)
    signatures = (inspect.signature(each) for each in forwards if callable(each))
    return any("attention_mask" in signature.parameters for signature in signatures)


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


class Batches(Reordering, Accumulating, Padding, Thinning):
    """The arguments of the steps of one run: a batch if the training gives it, else a number.

    Parameters
    ----------
    objects
        What the training made.
    scope
        Whether the model is being run: its random draws belong to no sample.
    random_states
        The random states of the run, for batches that are made outside of its steps.
    settings
        Those of the run: the order of the samples in each batch, or how many are kept.
    """

    def __init__(
        self,
        objects: Objects,
        scope: ModuleScope,
        random_states: RandomStates,
        settings: RunSettings,
    ) -> None:
        self._objects, self._scope = objects, scope
        self._order, self._few = settings.sample_order, settings.few_samples
        self._thinned = False
        self._random_states = random_states
        # The samples as the loaders of a script show them.
        self._loaded = objects.step.samples if isinstance(objects.step, ScriptStep) else None
        # Where a model has computed in fewer bits than the run's.
        self._computed = self._loaded.computed if self._loaded and settings.promotes else ""
        self._draws: SampleDraws | None = None
        self._clues: PaddingClues | None = None
        self._hidden: HiddenTokens | None = None
        self._hides_others = False

    @property
    def modes(self) -> tuple[AbstractContextManager[Any], ...]:
        """The modes that follow operations and module calls in the next step."""
        clues = None if self._clues is None else Recorder(self._clues)
        hidden = None if self._hidden is None else self._hidden.replaced()
        return tuple(mode for mode in (self._draws, clues, hidden) if mode is not None)

    @property
    def _have_masks(self) -> bool:
        """Whether the training gives batches that are mappings with a mask."""
        if self._objects.batch is None:
            return False
        with self._outside_of_steps("batch(0)"):
            return has_mask(self._objects.batch(0))

    def argument(self, i: int) -> Any:
        """Return what step ``i`` is called with: its number, or the batch in the run's order."""
        if self._objects.batch is None:
            return i
        if self._draws is None:
            return self._changed(self._objects.batch(i))
        self._draws.paused = True
        try:
            return self._changed(self._objects.batch(i))
        finally:
            self._draws.paused = False

    def _changed(self, batch: Any) -> Any:
        if self._hides_others:
            if self._clues is not None:
                self._clues.see(batch)
            batch = with_others_hidden(batch)
        places = self._places(batch)
        if places is None:
            return batch
        axis = self._objects.batch_axis
        return tree_map(
            lambda t: t.index_select(axis, places.to(t.device)) if isinstance(t, Tensor) else t,
            batch,
        )

    def _places(self, batch: Any) -> Tensor | None:
        """Return which samples of a batch the step is given, in their order; None for all."""
        if self._few is None:
            return None if self._order is None else torch.as_tensor(self._order)
        axis = self._objects.batch_axis
        count = samples_along(tensors_in(batch), axis)
        if count is None:
            return None
        kept = self._few.places(count, labels_of_rows(tensors_in(batch)))
        self._thinned |= len(kept) < count
        return torch.tensor(kept)

    @property
    def thinned(self) -> bool:
        """Whether a batch has lost samples so far."""
        return self._thinned or (self._loaded is not None and self._loaded.thinned)

    def samples(self) -> int | None:
        """Return how many samples each batch has; None where that is not known to be one number."""
        if self._loaded is not None:
            return self._loaded.count
        if self._objects.batch is None:
            return None
        with self._outside_of_steps("batch(0)"):
            tensors = tensors_in(self._objects.batch(0))
        return samples_along(tensors, self._objects.batch_axis)

    @property
    def doubt(self) -> Doubt:
        """Why it is not certain that samples may be rearranged; empty if it is.

        The rows that a script reads for a batch may be no samples. If a model computes with the
        samples before a promoted run begins, its results are rounded to fewer bits.
        """
        if self._loaded is None:
            return Doubt()
        if self._computed:
            return Doubt(f"before the first step a model computes in fewer bits ({self._computed})")
        if self._loaded.of_items:
            return Doubt("the rows of one item of its data set may be no samples", "item")
        return Doubt() if self._loaded.rows is None else self._loaded.rows.doubt

    @property
    def window(self) -> Window | None:
        """The samples of the first update's micro-batches, if a script's loader makes them."""
        return None if self._loaded is None else self._loaded.micro_batches.window

    @contextmanager
    def _outside_of_steps(self, what: str) -> Iterator[None]:
        """Make batches that no step is given: they use up no random numbers of the run."""
        with self._random_states.own(), readable(what), generators.kept(generators.shared()):
            yield

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Reorder the steps' draws for each of ``count`` samples; return which lines did so."""
        rows = None if self._loaded is None else self._loaded.rows
        choosing = frozenset[str]() if rows is None else rows.draws
        self._draws = SampleDraws(count, self._order, self._scope, choosing)
        if self._loaded is not None:
            return ChainMap(self._loaded.drawn, self._draws.seen)
        return self._draws.seen

    @contextmanager
    def other_draws(self) -> Iterator[None]:
        """Report draws of generators other than PyTorch's to the mode that follows samples."""
        if self._draws is None or self._loaded is not None:  # which follows them itself
            yield
            return
        shared = [g for g in generators.shared() if not isinstance(g, torch.Generator)]
        others = [*shared, *generators_of(self._objects)]
        before = generators.states_of(others)
        yield
        self._draws.see_other(before, generators.states_of(others))

    def why_nothing_hidden(self, steps: int) -> str:
        """Say why no hidden token can be replaced in the first batches; "" if one may be."""
        if self._hidden is not None:
            return self._hidden.why_none
        if not self._have_masks:
            return "" if takes_mask(self._objects.model) else NO_MASK
        assert self._objects.batch is not None
        with self._outside_of_steps("batch(i)"):
            batches = [self._objects.batch(i) for i in range(steps)]
            return next(filter(None, map(why_none_hidden, batches)), "")

    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow; with ``look``, find clues to them."""
        self._clues = PaddingClues() if look else None
        self._hides_others = self._have_masks
        if not self._hides_others:
            self._hidden = HiddenTokens(self._objects.model, self._clues)
        return {} if self._clues is None else self._clues.found
