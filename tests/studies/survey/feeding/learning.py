"""What a model is to learn from a batch: labels, and the words that it has to guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedConfig

from tests.studies.survey.feeding import text
from tests.studies.survey.feeding.drawn import SAMPLES, Batch, integers, number_in

_READ_BOTH_WAYS = {"MASKED_LM", "PRETRAINING"}
_OF_TEXT = {
    "CAUSAL_LM",
    "SEQ_TO_SEQ_CAUSAL_LM",
    "IMAGE_TEXT_TO_TEXT",
    "MULTIMODAL_LM",
    "SPEECH_SEQ_2_SEQ",
    *_READ_BOTH_WAYS,
}
_NOT_CAUSAL = {"cpmant", "xlnet"}  # read both ways, in spite of their task
_NOT_SHIFTED = {"trocr"}  # its loss compares logits and labels of the same place


def learn(
    task: str, batch: Batch, config: PreTrainedConfig, wants: Mapping[str, Any], seed: int
) -> None:
    """Add what a model is to learn; nothing if a head of ours learns."""
    takes = "labels" in wants or any(p.kind is p.VAR_KEYWORD for p in wants.values())
    if not takes:
        return
    if task in _OF_TEXT:
        _learn_text(task, batch, config, wants, seed)
    elif task in _OTHERS:
        batch["labels"] = _OTHERS[task](batch, config, seed)
    for name in ("next_sentence_label", "sentence_order_label"):
        if name in wants:
            batch[name] = integers(2, SAMPLES, seed=seed)
    if task == "MASKED_IMAGE_MODELING" and "bool_masked_pos" in wants:
        side = batch["pixel_values"].shape[-1] // number_in(config, "patch_size", default=8)
        batch["bool_masked_pos"] = integers(2, SAMPLES, side**2, seed=seed).bool()


def _learn_text(
    task: str, batch: Batch, config: PreTrainedConfig, wants: Mapping[str, Any], seed: int
) -> None:
    if "input_ids" not in batch or config.is_encoder_decoder:
        batch["labels"] = text.words(config, seed + 1000, text.ANSWER)
        if "decoder_input_ids" in wants:
            batch["decoder_input_ids"] = text.shifted(batch["labels"])
    elif task in _READ_BOTH_WAYS or config.model_type in _NOT_CAUSAL:
        text.ask(batch, config, seed)
    elif config.model_type in _NOT_SHIFTED:
        batch["labels"] = text.words(config, seed + 1000)
        batch["input_ids"] = text.shifted(batch["labels"])
    else:
        text.follow(batch)


def _one_class(_: Batch, config: PreTrainedConfig, seed: int) -> Tensor:
    return integers(_classes(config), SAMPLES, seed=seed)


def _class_of_each_pixel(batch: Batch, config: PreTrainedConfig, seed: int) -> Tensor:
    return integers(_classes(config), SAMPLES, *batch["pixel_values"].shape[2:], seed=seed)


def _two_words(_: Batch, config: PreTrainedConfig, seed: int) -> Tensor:
    return text.words(config, seed, 2)


def _classes(config: PreTrainedConfig) -> int:
    return getattr(config, "num_labels", 2) or 2


_OTHERS: Mapping[str, Callable[[Batch, PreTrainedConfig, int], Tensor]] = {
    "IMAGE_CLASSIFICATION": _one_class,
    "AUDIO_CLASSIFICATION": _one_class,
    "SEQUENCE_CLASSIFICATION": _one_class,
    "VIDEO_CLASSIFICATION": _one_class,
    "SEMANTIC_SEGMENTATION": _class_of_each_pixel,
    "CTC": _two_words,
}
