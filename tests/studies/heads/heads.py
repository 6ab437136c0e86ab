"""Heads of transformers that read text, each tiny, and rows to train them on."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.studies.survey import kept
from tests.studies.survey.language import LARGEST, LIBRARY, name_of, owner
from tests.studies.survey.tiny import tiny

TASKS = (
    "SEQUENCE_CLASSIFICATION",
    "TOKEN_CLASSIFICATION",
    "QUESTION_ANSWERING",
    "MULTIPLE_CHOICE",
    "NEXT_SENTENCE_PREDICTION",
    "MASKED_LM",
    "CAUSAL_LM",
    "SEQ_TO_SEQ_CAUSAL_LM",
)
_ROWS, _TOKENS, _LABELS, _CHOICES = 16, 16, 3, 2
_FIRST_WORD, _WORDS = 15, 30  # the tokens before have a meaning of their own
_PADDING = 0


@dataclass(frozen=True)
class Head:
    """A class of transformers for one task, and the model type whose configuration it takes."""

    name: str
    kind: str
    task: str

    def model(self) -> PreTrainedModel:
        """Return a fresh model without dropout; the same one at each call.

        Raises
        ------
        Exception
            Whatever a model raises whose configuration cannot be made tiny.
        """
        torch.manual_seed(0)
        config = self._config()
        kind = getattr(transformers, self.name)
        with torch.device("meta"):  # where parameters take no memory
            if (size := sum(each.numel() for each in kind(config).parameters())) > LARGEST:
                raise ValueError(f"{size} parameters")
        model: PreTrainedModel = kind(config)
        return model

    def _config(self) -> PreTrainedConfig:
        recipe = kept.recipes(LIBRARY).get(self.kind, {})
        changes = recipe["changes"] if isinstance(recipe, dict) and recipe else {}
        config = tiny(CONFIG_MAPPING[self.kind](), changes)
        for name, value in vars(config).items():
            if "drop" in name and isinstance(value, float):
                setattr(config, name, 0.0)
        config.num_labels = _LABELS if self.task.endswith("CLASSIFICATION") else 2
        config.pad_token_id = _PADDING
        config._attn_implementation = "eager"
        if getattr(config, "decoder_start_token_id", None) is None:
            config.decoder_start_token_id = 1
        if self.task == "CAUSAL_LM" and hasattr(config, "is_decoder"):
            config.is_decoder = True
        return config

    def rows(self) -> list[dict[str, Tensor]]:
        """Return the samples, all of one length and without a label that is ignored."""
        draw = torch.Generator().manual_seed(1)

        def drawn(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high, (_ROWS, *shape), generator=draw)

        shape = (_CHOICES, _TOKENS) if self.task == "MULTIPLE_CHOICE" else (_TOKENS,)
        columns = {"input_ids": drawn(_FIRST_WORD, _WORDS, *shape)}
        columns["attention_mask"] = torch.ones_like(columns["input_ids"])
        if self.task == "QUESTION_ANSWERING":
            columns |= {f"{end}_positions": drawn(0, _TOKENS) for end in ("start", "end")}
        elif self.task.endswith("LM"):
            columns["labels"] = columns["input_ids"].clone()
        elif self.task == "TOKEN_CLASSIFICATION":
            columns["labels"] = drawn(0, _LABELS, _TOKENS)
        else:
            columns["labels"] = drawn(0, _LABELS if self.task[0] == "S" else 2)
        return [{name: column[n] for name, column in columns.items()} for n in range(_ROWS)]

    def loss(self) -> str:
        """Return how the source of its forward computes the loss."""
        source = inspect.getsource(getattr(transformers, self.name).forward)
        return "self.loss_function" if "self.loss_function(" in source else "its own"


def heads(tasks: Sequence[str] | None = None) -> Iterator[Head]:
    """Yield the heads of all model types, by task; of some tasks only, if these are given."""
    for task in tasks or TASKS:
        kinds: dict[str, list[str]] = {}
        for kind in CONFIG_MAPPING:
            name: Any = name_of(kind, task)
            if name and hasattr(transformers, name):
                kinds.setdefault(name, []).append(kind)
        for name, sharing in kinds.items():
            yield Head(name, owner(name, sharing), task)
