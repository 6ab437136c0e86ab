"""Makes a batch for a model of transformers, from the signature of its forward."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from tests.studies.survey.tiny import VOCABULARY, words

SAMPLES, TOKENS, HIDDEN = 2, 7, 3  # hidden: tokens at the end of one sample of a text
CLASSES = 5
_WORDS = 15  # the tokens below have a meaning of their own
_OF_TEXT = {
    "CAUSAL_LM",
    "SEQ_TO_SEQ_CAUSAL_LM",
    "MASKED_LM",
    "IMAGE_TEXT_TO_TEXT",
    "MULTIMODAL_LM",
    "SPEECH_SEQ_2_SEQ",
    "PRETRAINING",
}
_OF_CLASSES = {
    "IMAGE_CLASSIFICATION",
    "AUDIO_CLASSIFICATION",
    "SEQUENCE_CLASSIFICATION",
    "VIDEO_CLASSIFICATION",
}
_IMAGES = ("pixel_values", "pixel_values_videos")
Batch = dict[str, Tensor]


def integers(bound: int, *shape: int, seed: int, low: int = 0) -> Tensor:
    return torch.randint(low, bound, shape, generator=torch.Generator().manual_seed(seed))


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(model: PreTrainedModel, task: str, form: int, seed: int) -> Batch:
    """Return a batch for a task; ``form`` chooses between the forms in which sounds are given.

    Raises NotImplementedError if the main input of the model is none that is known.
    """
    config, wants = model.config, inspect.signature(model.forward).parameters
    main = model.main_input_name
    text = _text(config, seed)
    image = _image(config, seed)
    batch: Batch = {}
    if main == "input_ids":
        batch["input_ids"] = text
    elif main in _IMAGES:
        batch["pixel_values" if "pixel_values" in wants else main] = image
    elif main in ("input_values", "input_features", "audio_features"):
        batch[main] = _sound(config, main, form, seed)
    else:
        raise NotImplementedError(f"the main input is {main}")
    if task == "VIDEO_CLASSIFICATION" or main == "pixel_values_videos":
        frames = number_in(config, "num_frames", "frames_per_clip", default=4)
        batch = {name: image[:, None].repeat(1, frames, 1, 1, 1) for name in batch}
    for name, value in (("input_ids", text), ("pixel_values", image)):
        if name not in batch and _required(wants, name):
            batch[name] = value
    if "bbox" in wants:
        batch["bbox"] = torch.tensor([1, 2, 30, 40]).expand(SAMPLES, TOKENS, 4).contiguous()
    if task == "BASE" and "decoder_input_ids" in wants:
        batch["decoder_input_ids"] = text
    labels = _labels(model, task, text, image, seed)
    if labels is not None and ("labels" in wants or _takes_any(wants)):
        batch["labels"] = labels
    if "next_sentence_label" in wants:
        batch["next_sentence_label"] = integers(2, SAMPLES, seed=seed)
    if "sentence_order_label" in wants:
        batch["sentence_order_label"] = integers(2, SAMPLES, seed=seed)
    if task == "MASKED_IMAGE_MODELING" and "bool_masked_pos" in wants:
        patches = (image.shape[-1] // number_in(config, "patch_size", default=8)) ** 2
        batch["bool_masked_pos"] = integers(2, SAMPLES, patches, seed=seed).bool()
    if "input_ids" in batch and "attention_mask" in wants:
        _hide(batch, seed)
    return batch


def number_in(config: PreTrainedConfig, *names: str, default: int = 0) -> int:
    """Return the first of these that a configuration has, or one inside it."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, list | tuple) and value:
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    inside = (value for value in vars(config).values() if isinstance(value, PreTrainedConfig))
    return next(filter(None, (number_in(each, *names) for each in inside)), default)


def first_output(out: Any) -> Tensor:
    """Return the first output that can be learned from."""
    for value in out.values() if hasattr(out, "values") else out:
        each = value[0] if isinstance(value, tuple | list) and value else value
        if isinstance(each, Tensor) and each.requires_grad and each.dim() > 1:
            return each
    raise ValueError("no output can be learned from")


class Headed(nn.Module):
    """A model without a loss, with a linear head on its first output."""

    def __init__(self, body: nn.Module, batch: Batch, extra: dict[str, Any]) -> None:
        super().__init__()
        self.body, self.extra = body, extra
        out = first_output(body(**batch, **extra))
        self.axis = 1 if out.dim() == 4 else -1
        self.head = nn.Linear(out.shape[self.axis], CLASSES)

    def forward(self, **batch: Tensor) -> Tensor:
        """Return the mean cross-entropy; each place of a sample has the class of the sample.

        Places that an attention mask hides have none.
        """
        classes, mask = batch.pop("classes"), batch.get("attention_mask")
        out = first_output(self.body(**batch, **self.extra)).movedim(self.axis, -1)
        logits = self.head(out).flatten(0, -2)
        labels = classes.repeat_interleave(len(logits) // len(classes))
        if mask is not None and mask.numel() == len(labels):
            labels = labels.masked_fill(mask.flatten() == 0, -100)
        return nn.functional.cross_entropy(logits, labels)


def _text(config: PreTrainedConfig, seed: int) -> Tensor:
    words = min(number_in(config, "vocab_size", default=VOCABULARY), VOCABULARY)
    return integers(words, SAMPLES, TOKENS, seed=seed, low=min(_WORDS, words // 2))


def _image(config: PreTrainedConfig, seed: int) -> Tensor:
    size = number_in(config, "image_size", "img_size", "input_size", default=32)
    channels = number_in(config, "num_channels", "in_channels", "in_chans", default=3)
    size = size if size >= 16 else 32
    return numbers(SAMPLES, channels if channels <= 4 else 3, size, size, seed=seed) / 2


def _sound(config: PreTrainedConfig, main: str, form: int, seed: int) -> Tensor:
    """Return waves, or their spectra, in one of the forms that models take."""
    if main == "input_values":
        spectra = (
            number_in(config, "max_length", default=64),
            number_in(config, "num_mel_bins", default=16),
        )
        return numbers(SAMPLES, *((2000,), (1, 2000), spectra)[form % 3], seed=seed)
    names = words("num_mel_bins feature_size input_dim input_feat_per_channel mel_bins")
    bins = number_in(config, "feature_projection_input_dim", *names, default=16)
    if form % 2:
        return numbers(SAMPLES, 40, bins, seed=seed)
    return numbers(
        SAMPLES,
        number_in(config, *names, default=16),
        2 * number_in(config, "max_source_positions", default=32),
        seed=seed,
    )


def _labels(
    model: PreTrainedModel, task: str, text: Tensor, image: Tensor, seed: int
) -> Tensor | None:
    """Return what a model is to learn; none if a head of ours learns."""
    classes = getattr(model.config, "num_labels", 2) or 2
    if task in _OF_TEXT:
        return text.clone()
    if task in _OF_CLASSES:
        return integers(classes, SAMPLES, seed=seed)
    if task == "CTC":
        return text[:, :2].clone()
    if task == "SEMANTIC_SEGMENTATION":
        return integers(classes, SAMPLES, *image.shape[2:], seed=seed)
    return None


def _hide(batch: Batch, seed: int) -> None:
    """Let a mask hide the end of one sample, and take it out of what is to be learned."""
    mask = torch.ones(batch["input_ids"].shape, dtype=torch.long)
    mask[seed % SAMPLES, TOKENS - HIDDEN :] = 0
    batch["attention_mask"] = mask
    if "labels" in batch and batch["labels"].shape == mask.shape:
        batch["labels"].masked_fill_(mask == 0, -100)


def _required(wants: Any, name: str) -> bool:
    return name in wants and wants[name].default is inspect.Parameter.empty


def _takes_any(wants: Any) -> bool:
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in wants.values())
