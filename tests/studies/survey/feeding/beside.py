"""What stands beside a text: masks, kinds of tokens, boxes, entities, another sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.studies.survey.feeding import text
from tests.studies.survey.feeding.drawn import SAMPLES, Batch, integers, number_in, numbers, ones

ENTITIES, STATES, PROTEIN = 3, 5, 8  # how many of each
_SUFFIX = {"paligemma"}  # marks the words that are to be learned, not the places of images


def add(batch: Batch, model: PreTrainedModel, wants: Mapping[str, Any], seed: int) -> None:
    """Add what the forward of a model takes beside its tokens."""
    config, kinds = model.config, batch["kinds"]
    if "attention_mask" in wants:
        text.hide(batch, seed)
    batch |= {name: make(batch, config, seed) for name, make in _MAKERS.items() if name in wants}
    if (kinds != 0).any() and "token_type_ids" in wants:
        words = kinds == 0
        batch["token_type_ids"] = (words if config.model_type in _SUFFIX else ~words).long()
    if "encoder_hidden_states" in wants and _crosses(model):
        width = number_in(config, "cross_attention_hidden_size", "hidden_size", "d_model")
        batch["encoder_hidden_states"] = numbers(SAMPLES, STATES, width, seed=seed)


def _first(batch: Batch, *_: Any) -> Tensor:
    first = torch.zeros_like(batch["kinds"])
    first[:, 0] = 1
    return first


def _boxes(batch: Batch, *_: Any) -> Tensor:
    long = batch["kinds"].shape[1]
    return torch.tensor([1, 2, 30, 40]).expand(SAMPLES, long, 4).contiguous()


def _entities(_: Batch, config: Any, seed: int) -> Tensor:
    known = number_in(config, "entity_vocab_size", default=9)
    return integers(known, SAMPLES, ENTITIES, seed=seed, low=3)


def _path(batch: Batch, config: Any, seed: int) -> Tensor:
    long = batch["kinds"].shape[1]
    return integers(16, SAMPLES, long, number_in(config, "max_depth"), seed=seed)


_MAKERS: Mapping[str, Callable[[Batch, Any, int], Tensor]] = {
    "bbox": _boxes,
    "entity_attention_mask": lambda *_: ones(SAMPLES, ENTITIES),
    "entity_ids": _entities,
    "entity_labels": _entities,
    "entity_position_ids": lambda *_: integers(8, SAMPLES, ENTITIES, 2, seed=0),
    "global_attention_mask": _first,
    "image_embeds_position_mask": lambda batch, *_: (batch["kinds"] == 1).long(),
    "input_pronunciation_ids": lambda batch, *_: batch["input_ids"],
    "input_shape_ids": lambda batch, *_: batch["input_ids"],
    "mm_token_type_ids": lambda batch, *_: batch["kinds"],
    "protein_attention_mask": lambda *_: ones(SAMPLES, PROTEIN),
    "protein_input_ids": lambda _, __, seed: integers(20, SAMPLES, PROTEIN, seed=seed, low=5),
    "xpath_subs_seq": _path,
    "xpath_tags_seq": _path,
}


def _crosses(model: PreTrainedModel) -> bool:
    words = "encoder_attn", "crossattention", "cross_attn"
    return any(word in name for name, _ in model.named_modules() for word in words)
