"""Texts: words behind the places of images and sounds, what a mask hides, and what is learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from tests.studies.survey.feeding.drawn import SAMPLES, Batch, integers, number_in, ones
from tests.studies.survey.tiny import VOCABULARY

TOKENS, HIDDEN, ANSWER = 16, 4, 10  # words of a text, hidden ones of a sample, words of an answer
_PARTS = "image", "video", "sound"
_MARKS = 15  # the tokens below have a meaning of their own
_MASK, _START, _IGNORED = 14, 1, -100
_EVERY = 4  # one word in so many is to be guessed


def batch(config: PreTrainedConfig, places: Mapping[str, int], seed: int) -> Batch:
    """Return tokens, and the kind of each: 0 is a word, 1 the place of an image, and so on.

    ``places`` are how many tokens stand before the words for each part.
    """
    before, kinds = [], []
    for part, count in places.items():
        start, end = ([t] if t is not None else [] for t in _marks(config, part))
        before += [*start, *[placeholder(config, part)] * count, *end]
        kinds += [*[0 for _ in start], *[_PARTS.index(part) + 1] * count, *[0 for _ in end]]
    rows = (torch.tensor([row] * SAMPLES, dtype=torch.long) for row in (before, kinds))
    tokens, kind = rows
    spoken = words(config, seed)
    return {
        "input_ids": torch.cat([tokens, spoken], 1),
        "kinds": torch.cat([kind, torch.zeros_like(spoken)], 1),
    }


def words(config: PreTrainedConfig, seed: int, count: int = TOKENS) -> Tensor:
    """Return random words."""
    known = min(number_in(config, "vocab_size", default=VOCABULARY), VOCABULARY)
    return integers(known, SAMPLES, count, seed=seed, low=min(_MARKS, known // 2))


def token(config: PreTrainedConfig, *names: str) -> int | None:
    """Return the first of these tokens that a configuration has, or one inside it."""
    for name in names:
        if isinstance(value := getattr(config, name, None), int) and not isinstance(value, bool):
            return value
    inside = (value for value in vars(config).values() if isinstance(value, PreTrainedConfig))
    found = (token(each, *names) for each in inside)
    return next((each for each in found if each is not None), None)


def tokens_of(part: str) -> list[str]:
    """Return the names by which configurations call the token that stands for a part."""
    names = ("audio", "speech", "sound") if part == "sound" else (part,)
    ends = "token_id", "token_index", "pad_token_id", "patch_id", "patch_token_id"
    return [f"{name}_{end}" for name in names for end in ends]


def placeholder(config: PreTrainedConfig, part: str) -> int:
    """Return the token that stands for a part.

    Raises
    ------
    ValueError
        If there is none.
    """
    if (found := token(config, *tokens_of(part))) is None:
        raise ValueError(f"no token stands for the {part}")
    return found


def hide(batch: Batch, seed: int) -> None:
    """Let a mask hide the end of one sample, and take it out of what is to be learned."""
    mask = ones(*batch["input_ids"].shape)
    mask[seed % SAMPLES, -HIDDEN:] = 0
    batch["attention_mask"] = mask
    if "labels" in batch and batch["labels"].shape == mask.shape:
        batch["labels"].masked_fill_(mask == 0, _IGNORED)


def ask(batch: Batch, config: PreTrainedConfig, seed: int) -> None:
    """Replace some words by the mask token: a model that reads both ways is to guess them."""
    tokens = batch["input_ids"]
    places = torch.zeros_like(tokens, dtype=torch.bool)
    places[:, seed % _EVERY :: _EVERY] = True
    places &= (batch["kinds"] == 0) & (tokens >= _MARKS)
    batch["labels"] = tokens.masked_fill(~places, _IGNORED)
    mask = token(config, "mask_token_id")
    batch["input_ids"] = tokens.masked_fill(places, _MASK if mask is None else mask)


def follow(batch: Batch) -> None:
    """Let each word be the label of the one before it; places of other parts are none."""
    batch["labels"] = batch["input_ids"].masked_fill(batch["kinds"] != 0, _IGNORED)


def shifted(labels: Tensor) -> Tensor:
    """Return what a decoder is given to predict these labels: the label before each one."""
    return torch.cat([torch.full((SAMPLES, 1), _START), labels[:, :-1]], 1)


def _marks(config: PreTrainedConfig, part: str) -> tuple[int | None, int | None]:
    """Return the tokens that stand around the place of an image or a video, if there are any."""
    if part == "sound":
        return None, None
    return token(config, "vision_start_token_id"), token(config, "vision_end_token_id")
