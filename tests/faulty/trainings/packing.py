"""Trainings whose packed documents act on each other, and whose padding moves positions."""

from __future__ import annotations

from typing import Any

from tests.faulty.trainings.fault import fault
from tests.sound.trainings.packing import packed, padded


@fault(
    "model/documents",
    wrong="attention in a packed row is only causal",
    source="https://github.com/huggingface/nanoVLM/issues/201",
)
def documents_read_those_before() -> Any:
    return packed(leaks=True)


@fault(
    "loss/documents",
    wrong="the last token of each document is trained to predict the next document",
    source="https://github.com/huggingface/transformers/pull/31629",
)
def labels_cross_documents() -> Any:
    return packed(crosses=True)


@fault(
    "training/padding",
    wrong="positions are counted from padding on the left",
    source="https://github.com/OpenRLHF/OpenRLHF/issues/217",
)
def places_counted_from_padding() -> Any:
    return padded(wrong=True)
